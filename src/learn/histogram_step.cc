#include "learn/histogram_step.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "kernels/cell_arithmetic.h"
#include "kernels/root_histogram.h"
#include "learn/tile_rows.h"

namespace espalier::learn {

namespace {

using kernels::Pack;
using kernels::PackedPair;
using kernels::WidePair;

// A chunk of rows worth a task of its own: adding it up takes longer than clearing and adding one more tile.
constexpr std::size_t kChunkRowsMin = 8192;
// Nodes take turns over blocks of rows (node_rows.h). Histograms come and go instead, so they must be small.
constexpr std::size_t kBlockedBytesMax = 8 << 20;
constexpr std::size_t kBlockedTileBytesMax = 64 << 10;  // of one tile: it is fetched anew for each block

PackedPair MakePair(std::int64_t g, std::int64_t h, PackedPair) {
    return Pack(g, h);
}
WidePair MakePair(std::int64_t g, std::int64_t h, WidePair) {
    return {g, h};
}

std::vector<int> OwnersOfTiles(const data::BinLayout& layout) {
    std::vector<int> owners;
    for (const auto& tile : layout.tiles) owners.push_back(tile.share);
    return owners;
}

/// Exact scans both ways where values are missing anywhere, not only in the node, unless the feature is constant.
std::vector<kernels::ScanKind> KindsOf(const TrainParams& params, const data::BinLayout& layout) {
    std::vector<kernels::ScanKind> kinds(layout.num_features(), kernels::ScanKind::kHist);
    if (params.tree_method != TreeMethod::kExact) return kinds;
    for (std::size_t feature = 0; feature < kinds.size(); ++feature) {
        const bool both = layout.has_missing[feature] != 0 && layout.cuts.num_bins(feature) > 1;
        kinds[feature] = both ? kernels::ScanKind::kBothWays : kernels::ScanKind::kBackward;
    }
    return kinds;
}

}  // namespace

template <typename Pair>
HistogramStep<Pair>::HistogramStep(const TrainParams& params, const data::BinLayout& layout,
                                   std::span<const std::uint8_t> categorical, const data::BinnedMatrix& matrix,
                                   RowsOf rows, WorkerTeam& team, collective::Comm& comm)
    : signs_(params.monotone_constraints),
      kinds_(KindsOf(params, layout)),
      category_rules_{params.max_cat_to_onehot, params.max_cat_threshold},
      categorical_(categorical.begin(), categorical.end()),
      layout_(layout),
      matrix_(matrix),
      team_(team),
      comm_(comm),
      sums_are_whole_(comm.size() == 1 || rows == RowsOf::kAllRanks),
      owners_(OwnersOfTiles(layout)),
      tiles_end_(layout.tiles.size()) {
    if (rows == RowsOf::kAllRanks) {
        const auto [first, last] = std::equal_range(owners_.begin(), owners_.end(), comm.rank());
        tiles_begin_ = static_cast<std::size_t>(first - owners_.begin());
        tiles_end_ = static_cast<std::size_t>(last - owners_.begin());
    }
    send_offset_.resize(layout.tiles.size());
    owned_cells_.resize(static_cast<std::size_t>(comm.size()));
    for (std::size_t tile = 0; tile < layout.tiles.size(); ++tile) {
        tile_cells_max_ = std::max(tile_cells_max_, CellsOf(tile));
        owned_cells_[static_cast<std::size_t>(owners_[tile])] += CellsOf(tile);
    }
    std::size_t feature_cells_max = 0;
    for (std::size_t feature = 0; feature < layout.num_features(); ++feature) {
        feature_cells_max =
            std::max<std::size_t>(feature_cells_max, layout.cell_offsets[feature + 1] - layout.cell_offsets[feature]);
    }
    for (int worker = 0; worker < team.num_threads(); ++worker) {
        scratch_.emplace_back(new Pair[tile_cells_max_ + feature_cells_max]);
    }
}

template <typename Pair>
void HistogramStep<Pair>::PlanTasks(std::span<Build<Pair>> builds) {
    tasks_.clear();
    std::size_t num_rows = 0;
    for (const auto& build : builds) num_rows += build.rows.size();
    // Enough tasks for the threads come from nodes and tiles; only if they do not, large nodes are cut by rows.
    const std::size_t num_whole = builds.size() * num_tiles();
    const std::size_t num_wanted = static_cast<std::size_t>(team_.num_threads()) * 4;
    const std::size_t chunk_rows = team_.num_threads() == 1 || num_whole >= num_wanted
                                       ? std::max<std::size_t>(num_rows, 1)
                                       : std::max(kChunkRowsMin, num_rows * num_tiles() / num_wanted + 1);
    std::size_t num_partial = 0;
    std::size_t num_cells = 0;
    for (std::size_t i = 0; i < builds.size(); ++i) {
        for (std::size_t tile = tiles_begin_; tile < tiles_end_; ++tile) {
            num_cells += CellsOf(tile);
            const std::size_t size = builds[i].rows.size();
            const std::size_t num_chunks = std::max<std::size_t>(1, size / chunk_rows);
            for (std::size_t chunk = 0; chunk < num_chunks; ++chunk) {
                Task task;
                task.build = static_cast<std::uint32_t>(i);
                task.tile = static_cast<std::uint32_t>(tile);
                task.row_begin = size * chunk / num_chunks;
                task.row_end = size * (chunk + 1) / num_chunks;
                tasks_.push_back(task);
                if (num_chunks > 1) num_partial += CellsOf(tile);
            }
        }
    }
    in_blocks_ = num_partial == 0 && num_cells * sizeof(Pair) <= kBlockedBytesMax &&
                 tile_cells_max_ * sizeof(Pair) <= kBlockedTileBytesMax && matrix_.num_rows() > kNodeBlockRows;
    if (in_blocks_) num_partial = num_cells;
    if (partial_.size() < num_partial) partial_.resize(num_partial);
}

template <typename Pair>
bool HistogramStep<Pair>::AddNextRows(const Build<Pair>& build, std::size_t rows_end, Task& task, Pair* target) const {
    if (task.next_piece == 0) std::memset(static_cast<void*>(target), 0, CellsOf(task.tile) * sizeof(Pair));
    if (!in_blocks_) {
        build.rows.ForEachPiece(task.row_begin, task.row_end,
                                [&](const RowPiece& piece) { AddPiece(build, task.tile, piece, target); });
        return true;
    }
    const std::span<const RowPiece> pieces = build.rows.pieces();
    for (; task.next_piece < pieces.size() && pieces[task.next_piece].first_row < rows_end; ++task.next_piece) {
        AddPiece(build, task.tile, pieces[task.next_piece], target);
    }
    return rows_end >= matrix_.num_rows();
}

template <typename Pair>
void HistogramStep<Pair>::FillSkipped(std::uint32_t feature, WidePair sum, Pair* cells) const {
    const std::int32_t skipped = layout_.skipped_bin[feature];
    if (skipped == data::BinLayout::kNothingSkipped) return;
    const std::span<const Pair> listed(cells, layout_.cell_offsets[feature + 1] - layout_.cell_offsets[feature]);
    Pair rest = MakePair(sum.g, sum.h, Pair{});
    rest -= kernels::SumOf(listed);
    cells[skipped] = rest;  // The skipped cell itself is 0 until now.
}

template <typename Pair>
bool HistogramStep<Pair>::Scan(const ScanNode& node, const kernels::GainParams& gain, std::uint32_t feature,
                               const Pair* cells, std::size_t candidate) {
    if (node.feature_mask != nullptr && node.feature_mask[feature] == 0) return true;
    const std::int32_t skipped = layout_.skipped_bin[feature];
    if (skipped != data::BinLayout::kNothingSkipped) {
        // One side of every split is without the skipped bin.
        const std::int64_t others = node.sum.h - kernels::SumH(cells[skipped]);
        if (static_cast<double>(others) * gain.hess_unit < static_cast<double>(gain.min_child_weight)) return false;
    }
    const std::uint32_t num_bins = layout_.cuts.num_bins(feature);
    kernels::SplitCandidate& best = candidates_[candidate];
    if (!categorical_.empty() && categorical_[feature] != 0) {
        kernels::ScanCategories(gain, node.bounds, SignOf(signs_, feature), category_rules_, cells, num_bins, node.sum,
                                node.gain, feature, best, candidate_categories_[candidate]);
        return true;
    }
    if (node.bounds == nullptr) {
        return kernels::ScanFeature(gain, cells, num_bins, node.sum, node.gain, feature, best, kinds_[feature]);
    }
    kernels::ScanFeatureBounded(gain, *node.bounds, SignOf(signs_, feature), cells, num_bins, node.sum, node.gain,
                                feature, best, kinds_[feature]);
    return true;
}

template <typename Pair>
void HistogramStep<Pair>::FinishTile(Build<Pair>& build, std::size_t build_idx, std::size_t tile, Pair* built,
                                     std::span<const Pair* const> parts, int worker) {
    const auto& layout_tile = layout_.tiles[tile];
    const std::size_t candidate = (build_idx * layout_.tiles.size() + tile) * 2;
    std::uint8_t* const may_split = build.slot != nullptr ? build.slot->may_split.get() : nullptr;
    std::uint8_t* const parent_may_split = build.parent_slot != nullptr ? build.parent_slot->may_split.get() : nullptr;
    for (std::uint32_t feature = layout_tile.feature_begin; feature < layout_tile.feature_end; ++feature) {
        if (parent_may_split != nullptr && parent_may_split[feature] == 0) {
            if (may_split != nullptr) may_split[feature] = 0;
            continue;
        }
        const std::size_t first_cell = layout_.cell_offsets[feature];
        const std::size_t num_cells = layout_.cell_offsets[feature + 1] - first_cell;
        const std::size_t in_tile = first_cell - layout_tile.cell_begin;
        Pair* const cells = built + in_tile;
        for (std::size_t part = 1; part < parts.size(); ++part) {
            const Pair* const so_far = part == 1 ? parts[0] + in_tile : cells;
            kernels::Add(std::span(so_far, num_cells), std::span(parts[part] + in_tile, num_cells), cells);
        }
        FillSkipped(feature, build.node.sum, cells);
        if (build.node.is_scanned) {
            const bool may = Scan(build.node, *build.gain, feature, cells, candidate);
            if (may_split != nullptr) may_split[feature] = may ? 1 : 0;
        }
        if (build.parent_slot == nullptr) continue;
        Pair* const parent = build.parent_slot->cells.get() + first_cell;
        Pair* const sibling =
            build.keeps_sibling ? parent : scratch_[static_cast<std::size_t>(worker)].get() + tile_cells_max_;
        kernels::Subtract(std::span<const Pair>(parent, num_cells), std::span<const Pair>(cells, num_cells), sibling);
        const bool may = Scan(build.sibling, *build.gain, feature, sibling, candidate + 1);
        if (build.keeps_sibling) parent_may_split[feature] = may ? 1 : 0;
    }
}

template <typename Pair>
Pair* HistogramStep<Pair>::SendPlace(const Task& task) {
    const std::size_t owned = owned_cells_[static_cast<std::size_t>(owners_[task.tile])];
    return send_.get() + send_offset_[task.tile] + task.build * owned;
}

template <typename Pair>
void HistogramStep<Pair>::PlanTargets(std::span<Build<Pair>> builds) {
    if (!sums_are_whole_) {
        std::size_t base = 0;
        std::size_t tile = 0;
        for (int owner = 0; owner < comm_.size(); ++owner) {
            std::size_t within = 0;
            for (; tile < layout_.tiles.size() && owners_[tile] == owner; ++tile) {
                send_offset_[tile] = base + within;
                within += CellsOf(tile);
            }
            base += within * builds.size();
        }
        if (send_cells_ < base) {
            send_.reset();
            send_ = std::make_unique_for_overwrite<Pair[]>(base);  // Each place is cleared when it is added to.
            send_cells_ = base;
        }
    }
    std::size_t partial_used = 0;
    for (Task& task : tasks_) {
        Build<Pair>& build = builds[task.build];
        if (!IsWhole(task, build)) {
            task.target = partial_.data() + partial_used;
            partial_used += CellsOf(task.tile);
        } else if (!sums_are_whole_) {
            task.target = SendPlace(task);
        } else if (build.slot != nullptr) {
            task.target = build.slot->cells.get() + layout_.tiles[task.tile].cell_begin;
        } else if (in_blocks_) {
            task.target = partial_.data() + partial_used;
            partial_used += CellsOf(task.tile);
        }
    }
}

template <typename Pair>
Pair* HistogramStep<Pair>::PlaceOf(const Build<Pair>& build, std::size_t tile, int worker) {
    if (build.slot != nullptr) return build.slot->cells.get() + layout_.tiles[tile].cell_begin;
    return scratch_[static_cast<std::size_t>(worker)].get();
}

template <typename Pair>
void HistogramStep<Pair>::JoinChunks(std::span<Build<Pair>> builds) {
    // Tasks of one (build, tile) follow each other; the first chunk's task joins them.
    team_.ForEach(tasks_.size(), [&](std::size_t i, int worker) {
        const Task& task = tasks_[i];
        Build<Pair>& build = builds[task.build];
        if (task.row_begin != 0 || IsWhole(task, build)) return;
        std::vector<const Pair*> chunks = {task.target};
        for (std::size_t j = i + 1; j < tasks_.size() && tasks_[j].row_begin != 0; ++j) {
            chunks.push_back(tasks_[j].target);
        }
        if (sums_are_whole_) {
            FinishTile(build, task.build, task.tile, PlaceOf(build, task.tile, worker), chunks, worker);
            return;
        }
        const std::size_t num_cells = CellsOf(task.tile);
        Pair* const joined = SendPlace(task);
        std::copy_n(task.target, num_cells, joined);
        for (const Pair* chunk : std::span(chunks).subspan(1)) {
            kernels::Accumulate(std::span(joined, num_cells), std::span(chunk, num_cells));
        }
    });
}

template <typename Pair>
Result<void> HistogramStep<Pair>::Run(std::span<Build<Pair>> builds) {
    if (builds.empty()) return {};
    candidates_.assign(builds.size() * layout_.tiles.size() * 2, kernels::SplitCandidate{});
    if (!categorical_.empty()) candidate_categories_.assign(candidates_.size(), {});
    PlanTasks(builds);
    PlanTargets(builds);
    // Once at least: a rank without rows clears its sums too.
    const std::size_t num_turns = in_blocks_ ? NumNodeBlocks(matrix_.num_rows()) : 1;
    for (std::size_t turn = 1; turn <= num_turns; ++turn) {
        const std::size_t rows_end = turn < num_turns ? turn * kNodeBlockRows : matrix_.num_rows();
        team_.ForEach(tasks_.size(), [&](std::size_t i, int worker) {
            Task& task = tasks_[i];
            Build<Pair>& build = builds[task.build];
            Pair* target = task.target != nullptr ? task.target : scratch_[static_cast<std::size_t>(worker)].get();
            const bool all_added = AddNextRows(build, rows_end, task, target);
            if (all_added && sums_are_whole_ && IsWhole(task, build))
                FinishTile(build, task.build, task.tile, target, {}, worker);
        });
    }
    const bool any_chunked =
        std::any_of(tasks_.begin(), tasks_.end(), [&](const Task& task) { return !IsWhole(task, builds[task.build]); });
    if (any_chunked) JoinChunks(builds);
    if (!sums_are_whole_) TRY(ReduceAndFinish(builds));
    PickCandidates(builds);
    return comm_.size() == 1 ? Result<void>() : ExchangeCandidates(builds);
}

template <typename Pair>
std::vector<typename HistogramStep<Pair>::RootSweep> HistogramStep<Pair>::RootSweepsOf(std::size_t num_trees) const {
    std::vector<RootSweep> sweeps;
    std::size_t first = 0;
    for (const std::size_t width : kernels::TreeGroupWidths(num_trees)) {
        for (std::size_t tile = tiles_begin_; tile < tiles_end_; ++tile) sweeps.push_back({tile, first, width});
        first += width;
    }
    return sweeps;
}

template <typename Pair>
Pair* HistogramStep<Pair>::ClearedRootScratch(const RootSweep& sweep, std::size_t scratch) {
    Pair* const cells = root_scratch_[scratch].data();
    std::memset(static_cast<void*>(cells), 0, CellsOf(sweep.tile) * sweep.width * sizeof(Pair));
    return cells;
}

template <typename Pair>
void HistogramStep<Pair>::AddRootRows(std::span<const Build<Pair>> builds, const RootSweep& sweep, std::size_t begin,
                                      std::size_t end, Pair* histogram) const {
    if constexpr (std::is_same_v<Pair, PackedPair>) {
        const auto& binned = matrix_.tile(sweep.tile);
        const std::uint32_t* row_offsets = binned.stride > 0 ? nullptr : binned.row_offsets.data() + begin;
        const std::size_t first_cell = begin * binned.stride;
        std::vector<const Pair*> pairs;
        for (std::size_t tree = sweep.first; tree < std::min(sweep.first + sweep.width, builds.size()); ++tree) {
            pairs.push_back(builds[tree].pairs + begin);
        }
        if (!binned.cells8.empty()) {
            kernels::AddByteRowsOfGroup(sweep.width, pairs, end - begin, layout_.tiles[sweep.tile].num_features(),
                                        binned.stride, binned.cells8.data() + first_cell, histogram);
        } else if (!binned.cells32.empty()) {
            kernels::AddRowsOfGroup(sweep.width, pairs, end - begin, row_offsets, binned.stride,
                                    binned.cells32.data() + first_cell, histogram);
        } else {
            kernels::AddRowsOfGroup(sweep.width, pairs, end - begin, row_offsets, binned.stride,
                                    binned.cells16.data() + first_cell, histogram);
        }
    }
}

template <typename Pair>
void HistogramStep<Pair>::TakeRootTile(std::span<Build<Pair>> builds, const RootSweep& sweep,
                                       std::span<const Pair* const> parts) {
    const auto& layout_tile = layout_.tiles[sweep.tile];
    const std::size_t num_cells = CellsOf(sweep.tile);
    for (std::size_t tree = sweep.first; tree < std::min(sweep.first + sweep.width, builds.size()); ++tree) {
        const Task task{.build = static_cast<std::uint32_t>(tree), .tile = static_cast<std::uint32_t>(sweep.tile)};
        Pair* target = sums_are_whole_ ? builds[tree].slot->cells.get() + layout_tile.cell_begin : SendPlace(task);
        for (std::size_t cell = 0; cell < num_cells; ++cell) {
            Pair sum{};
            for (const Pair* part : parts) sum += part[cell * sweep.width + (tree - sweep.first)];
            target[cell] = sum;
        }
        if (layout_tile.kind == data::BinLayout::TileKind::kSparse16) target[layout_tile.padding()] = Pair{};
    }
}

template <typename Pair>
void HistogramStep<Pair>::AddWholeSweeps(std::span<Build<Pair>> builds, std::span<const RootSweep> sweeps) {
    team_.ForEach(sweeps.size(), [&](std::size_t i, int worker) {
        Pair* const sums = ClearedRootScratch(sweeps[i], static_cast<std::size_t>(worker));
        AddRootRows(builds, sweeps[i], 0, matrix_.num_rows(), sums);
        const Pair* const part = sums;
        TakeRootTile(builds, sweeps[i], {&part, 1});
    });
}

template <typename Pair>
void HistogramStep<Pair>::AddSweepsInParts(std::span<Build<Pair>> builds, std::span<const RootSweep> sweeps) {
    const auto num_threads = static_cast<std::size_t>(team_.num_threads());
    const std::size_t num_rows = matrix_.num_rows();
    const std::size_t num_parts = num_rows / kChunkRowsMin + 1;
    std::vector<Pair*> sums(sweeps.size() * num_threads, nullptr);  // [sweeps x workers] a worker's parts together
    team_.ForEach(sweeps.size() * num_parts, [&](std::size_t task, int worker) {
        const std::size_t sweep = task / num_parts;
        const std::size_t part = task % num_parts;
        const std::size_t scratch = sweep * num_threads + static_cast<std::size_t>(worker);
        if (sums[scratch] == nullptr) sums[scratch] = ClearedRootScratch(sweeps[sweep], scratch);
        AddRootRows(builds, sweeps[sweep], num_rows * part / num_parts, num_rows * (part + 1) / num_parts,
                    sums[scratch]);
    });
    team_.ForEach(sweeps.size(), [&](std::size_t sweep, int) {
        std::vector<const Pair*> parts(sums.begin() + static_cast<std::ptrdiff_t>(sweep * num_threads),
                                       sums.begin() + static_cast<std::ptrdiff_t>((sweep + 1) * num_threads));
        std::erase(parts, nullptr);
        TakeRootTile(builds, sweeps[sweep], parts);
    });
}

template <typename Pair>
Result<void> HistogramStep<Pair>::RunRoots(std::span<Build<Pair>> builds) {
    candidates_.assign(builds.size() * layout_.tiles.size() * 2, kernels::SplitCandidate{});
    if (!categorical_.empty()) candidate_categories_.assign(candidates_.size(), {});
    tasks_.clear();
    PlanTargets(builds);
    const std::vector<RootSweep> sweeps = RootSweepsOf(builds.size());  // None where no tile is owned.
    const auto num_threads = static_cast<std::size_t>(team_.num_threads());
    const bool are_enough = sweeps.size() >= num_threads;
    while (root_scratch_.size() < (are_enough ? num_threads : sweeps.size() * num_threads)) {
        root_scratch_.push_back(data::ArrayStore().Make<Pair>(tile_cells_max_ * 8));
    }
    are_enough ? AddWholeSweeps(builds, sweeps) : AddSweepsInParts(builds, sweeps);
    if (sums_are_whole_) {
        team_.ForEach(builds.size() * num_tiles(), [&](std::size_t i, int worker) {
            const std::size_t tile = tiles_begin_ + i % num_tiles();
            Build<Pair>& build = builds[i / num_tiles()];
            FinishTile(build, i / num_tiles(), tile, PlaceOf(build, tile, worker), {}, worker);
        });
    } else {
        TRY(ReduceAndFinish(builds));
    }
    PickCandidates(builds);
    return comm_.size() == 1 ? Result<void>() : ExchangeCandidates(builds);
}

template <typename Pair>
Result<void> HistogramStep<Pair>::ReduceAndFinish(std::span<Build<Pair>> builds) {
    constexpr std::size_t kIntegers = sizeof(Pair) / sizeof(std::int64_t);
    std::vector<std::size_t> counts;
    std::size_t total = 0;
    for (const std::size_t owned : owned_cells_) {
        counts.push_back(owned * builds.size() * kIntegers);
        total += counts.back();
    }
    const std::size_t owned_cells = owned_cells_[static_cast<std::size_t>(comm_.rank())];
    const std::span sent(reinterpret_cast<const std::int64_t*>(send_.get()), total);
    const auto segments = TRY(comm_.ExchangeSegments(sent, counts));
    const auto first =
        static_cast<std::size_t>(std::find(owners_.begin(), owners_.end(), comm_.rank()) - owners_.begin());
    const auto num_owned = static_cast<std::size_t>(std::count(owners_.begin(), owners_.end(), comm_.rank()));
    team_.ForEach(builds.size() * num_owned, [&](std::size_t i, int worker) {
        const std::size_t build_idx = i / num_owned;
        const std::size_t tile = first + i % num_owned;
        const std::size_t within = layout_.tiles[tile].cell_begin - layout_.tiles[first].cell_begin;
        std::vector<const Pair*> of_ranks;
        for (const std::span<const std::int64_t> segment : segments) {
            of_ranks.push_back(reinterpret_cast<const Pair*>(segment.data()) + build_idx * owned_cells + within);
        }
        Build<Pair>& build = builds[build_idx];
        FinishTile(build, build_idx, tile, PlaceOf(build, tile, worker), of_ranks, worker);
    });
    return {};
}

template <typename Pair>
void HistogramStep<Pair>::PickCandidates(std::span<Build<Pair>> builds) {
    for (std::size_t i = 0; i < builds.size(); ++i) {
        builds[i].node.best = {};
        builds[i].sibling.best = {};
        for (std::size_t tile = 0; tile < layout_.tiles.size(); ++tile) {
            for (ScanNode* node : {&builds[i].node, &builds[i].sibling}) {
                const std::size_t candidate =
                    (i * layout_.tiles.size() + tile) * 2 + (node == &builds[i].sibling ? 1 : 0);
                if (!node->best.IsBeatenBy(candidates_[candidate])) continue;
                node->best = candidates_[candidate];
                if (node->best.is_categorical) node->right_categories = std::move(candidate_categories_[candidate]);
            }
        }
    }
}

template <typename Pair>
Result<void> HistogramStep<Pair>::ExchangeCandidates(std::span<Build<Pair>> builds) {
    std::vector<kernels::SplitCandidate> mine(builds.size() * 2);
    for (std::size_t i = 0; i < builds.size(); ++i) {
        mine[2 * i] = builds[i].node.best;
        mine[2 * i + 1] = builds[i].sibling.best;
    }
    const auto all = TRY(comm_.AllGatherV(std::as_bytes(std::span(mine))));
    for (const auto& bytes : all) {
        CHECK(bytes.size() == mine.size() * sizeof(mine[0]));
        std::vector<kernels::SplitCandidate> theirs(mine.size());
        std::memcpy(static_cast<void*>(theirs.data()), bytes.data(), bytes.size());
        for (std::size_t i = 0; i < builds.size(); ++i) {
            for (ScanNode* node : {&builds[i].node, &builds[i].sibling}) {
                const kernels::SplitCandidate& other = theirs[2 * i + (node == &builds[i].sibling ? 1 : 0)];
                if (!node->best.IsBeatenBy(other)) continue;
                node->best = other;
                node->right_categories.clear();  // They are with the rank that found it.
            }
        }
    }
    return ExchangeCategories(builds);
}

/// Sets travel from the ranks whose candidates won to all others: [build, is sibling, size, categories …] each.
template <typename Pair>
Result<void> HistogramStep<Pair>::ExchangeCategories(std::span<Build<Pair>> builds) {
    if (categorical_.empty()) return {};
    std::vector<std::uint32_t> mine;
    for (std::uint32_t i = 0; i < builds.size(); ++i) {
        for (const std::uint32_t which : {0U, 1U}) {
            const ScanNode& node = which == 0 ? builds[i].node : builds[i].sibling;
            if (!node.best.is_categorical || node.right_categories.empty()) continue;
            mine.insert(mine.end(), {i, which, static_cast<std::uint32_t>(node.right_categories.size())});
            mine.insert(mine.end(), node.right_categories.begin(), node.right_categories.end());
        }
    }
    const auto all = TRY(comm_.AllGatherV(std::as_bytes(std::span(mine))));
    for (const auto& bytes : all) {
        std::vector<std::uint32_t> theirs(bytes.size() / sizeof(std::uint32_t));
        if (!theirs.empty()) std::memcpy(theirs.data(), bytes.data(), bytes.size());
        for (std::size_t at = 0; at < theirs.size(); at += 3 + theirs[at + 2]) {
            ScanNode& node = theirs[at + 1] == 0 ? builds[theirs[at]].node : builds[theirs[at]].sibling;
            const auto first = theirs.begin() + static_cast<std::ptrdiff_t>(at) + 3;
            node.right_categories.assign(first, first + theirs[at + 2]);
        }
    }
    return {};
}

template class HistogramStep<PackedPair>;
template class HistogramStep<WidePair>;

}  // namespace espalier::learn
