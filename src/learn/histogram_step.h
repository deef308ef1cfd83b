// One step's histograms and best splits; the inner half of TreeGrower.
//
// Nouns: see tree_grower.h. Thread-compatible; Run is called by the trainer's thread.
#pragma once

#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/worker_team.h"
#include "collective/comm.h"
#include "data/binned_matrix.h"
#include "data/stored_array.h"
#include "kernels/category_scan.h"
#include "kernels/gradient_pair.h"
#include "kernels/split_scan.h"
#include "kernels/weight_bounds.h"
#include "learn/growing_tree.h"
#include "learn/node_rows.h"
#include "learn/tile_rows.h"

namespace espalier::learn {

/// A node whose split is looked for.
struct ScanNode {
    bool is_scanned = false;  ///< false: nothing is looked for, though the histogram may be needed
    kernels::WidePair sum;
    float gain = 0;
    const std::uint8_t* feature_mask = nullptr;     ///< [features] 1 = may split; null: all
    const kernels::WeightBounds* bounds = nullptr;  ///< null: no monotone constraints
    kernels::SplitCandidate best;                   ///< out
    std::vector<std::uint32_t> right_categories;    ///< out, when best is categorical
};

/// A node's histogram that is kept until its children are scanned.
template <typename Pair>
struct HistogramSlot {
    explicit HistogramSlot(const data::BinLayout& layout)
        : cells(new Pair[layout.num_cells()]), may_split(new std::uint8_t[layout.num_features()]) {}
    std::unique_ptr<Pair[]> cells;
    /// [features] 0: no part of the node can be split by the feature, whose sides are too light; its cells are stale.
    std::unique_ptr<std::uint8_t[]> may_split;
};

/// A histogram to build, and the sibling that follows from it.
template <typename Pair>
struct Build {
    NodeRows rows;
    const Pair* pairs = nullptr;  ///< [rows of the matrix] of the node's tree
    const kernels::GainParams* gain = nullptr;
    ScanNode node;
    ScanNode sibling;                            ///< unused when parent_slot is null
    HistogramSlot<Pair>* slot = nullptr;         ///< where the node's histogram is kept, or null: not kept
    HistogramSlot<Pair>* parent_slot = nullptr;  ///< null: a root, or no sibling is looked at
    bool keeps_sibling = false;                  ///< parent_slot becomes the sibling's
};

/// Whose rows a step adds up: a rank's own, and the sums are exchanged; or everybody's, in the rank's tiles only.
enum class RowsOf { kThisRank, kAllRanks };

template <typename Pair>
class HistogramStep {
  public:
    /// categorical: [features] 1 for a categorical one, or empty. `matrix` has the rows that are added up.
    HistogramStep(const TrainParams& params, const data::BinLayout& layout, std::span<const std::uint8_t> categorical,
                  const data::BinnedMatrix& matrix, RowsOf rows, WorkerTeam& team, collective::Comm& comm);

    /// Fills the slots and the best split of each node and sibling. Every rank calls it with as many builds.
    Result<void> Run(std::span<Build<Pair>> builds);

    /// The same for the roots of several trees, which all have all rows: one sweep over the bins for up to 8 trees.
    /// Packed pairs only; every build has a slot.
    Result<void> RunRoots(std::span<Build<Pair>> builds);

  private:
    struct Task {
        std::uint32_t build = 0;
        std::uint32_t tile = 0;
        std::size_t row_begin = 0;  ///< among the node's rows
        std::size_t row_end = 0;
        std::size_t next_piece = 0;  ///< the first that is not added yet, where tasks take turns
        Pair* target = nullptr;      ///< [cells of the tile]; null: worker scratch, then finished at once
    };
    /// The tiles that are added up here: all, or with the rows of all ranks the owned ones.
    std::size_t num_tiles() const { return tiles_end_ - tiles_begin_; }
    std::size_t CellsOf(std::size_t tile) const {
        return layout_.tiles[tile].cell_end - layout_.tiles[tile].cell_begin;
    }
    /// The roots of the trees [first, first + width) in one tile; the last group may have fewer trees.
    struct RootSweep {
        std::size_t tile = 0;
        std::size_t first = 0;
        std::size_t width = 0;
    };
    std::vector<RootSweep> RootSweepsOf(std::size_t num_trees) const;
    /// One task each, or, where these are too few for the threads, tasks of some rows.
    void AddWholeSweeps(std::span<Build<Pair>> builds, std::span<const RootSweep> sweeps);
    void AddSweepsInParts(std::span<Build<Pair>> builds, std::span<const RootSweep> sweeps);
    /// All cells of the sweep [cells x width] to 0 in the scratch of this number.
    Pair* ClearedRootScratch(const RootSweep& sweep, std::size_t scratch);
    /// Adds the rows [begin, end) to histogram [cells x width].
    void AddRootRows(std::span<const Build<Pair>> builds, const RootSweep& sweep, std::size_t begin, std::size_t end,
                     Pair* histogram) const;
    /// The sums of such parts into the targets of the sweep's trees.
    void TakeRootTile(std::span<Build<Pair>> builds, const RootSweep& sweep, std::span<const Pair* const> parts);
    static bool IsWhole(const Task& task, const Build<Pair>& build) {
        return task.row_begin == 0 && task.row_end == build.rows.size();
    }
    void PlanTasks(std::span<Build<Pair>> builds);
    void PlanTargets(std::span<Build<Pair>> builds);
    Pair* SendPlace(const Task& task);
    /// Where the sums of one tile of the build are while they are looked at: its slot, or the worker's scratch.
    Pair* PlaceOf(const Build<Pair>& build, std::size_t tile, int worker);
    /// Adds up the chunks of nodes that were cut by rows.
    void JoinChunks(std::span<Build<Pair>> builds);
    /// Adds the task's next rows below `rows_end`; true when those were the last.
    bool AddNextRows(const Build<Pair>& build, std::size_t rows_end, Task& task, Pair* target) const;
    void AddPiece(const Build<Pair>& build, std::size_t tile, const RowPiece& piece, Pair* target) const {
        AddTileRows(layout_.tiles[tile], matrix_.tile(tile), piece, build.pairs, target);
    }
    /// Scans tile `tile` of a build. `built` (may be the slot itself) has its sums over all ranks, or gets them from
    /// `parts` [cells of the tile each], feature by feature: what no part of the node can be split by is not added up.
    void FinishTile(Build<Pair>& build, std::size_t build_idx, std::size_t tile, Pair* built,
                    std::span<const Pair* const> parts, int worker);
    /// The sums of the bin whose entries are not listed, from those of all others.
    void FillSkipped(std::uint32_t feature, kernels::WidePair sum, Pair* cells) const;
    /// False when neither the node nor a part of it can be split by the feature. `candidate`: of candidates_.
    bool Scan(const ScanNode& node, const kernels::GainParams& gain, std::uint32_t feature, const Pair* cells,
              std::size_t candidate);
    Result<void> ReduceAndFinish(std::span<Build<Pair>> builds);
    Result<void> ExchangeCandidates(std::span<Build<Pair>> builds);
    Result<void> ExchangeCategories(std::span<Build<Pair>> builds);
    void PickCandidates(std::span<Build<Pair>> builds);

    const MonotoneSigns signs_;
    const std::vector<kernels::ScanKind> kinds_;  ///< [features]
    const kernels::CategoryRules category_rules_;
    const std::vector<std::uint8_t> categorical_;  ///< [features], or empty
    const data::BinLayout& layout_;
    const data::BinnedMatrix& matrix_;
    WorkerTeam& team_;
    collective::Comm& comm_;
    const bool sums_are_whole_;      ///< of all ranks, as they are added up here
    const std::vector<int> owners_;  ///< [tiles] rank that finds the tile's splits
    std::size_t tiles_begin_ = 0;    ///< see num_tiles()
    std::size_t tiles_end_ = 0;
    std::vector<std::size_t> owned_cells_;  ///< [ranks]
    std::vector<std::size_t> send_offset_;  ///< [tiles] of build 0 in send_
    std::size_t tile_cells_max_ = 0;
    std::vector<std::unique_ptr<Pair[]>> scratch_;  ///< [workers] a tile and a feature each
    /// [sweeps x workers] a tile of 8 trees each: from a cache line on, so that a cell's 8 pairs lie in one.
    std::vector<data::StoredArray<Pair>> root_scratch_;
    std::vector<Task> tasks_;
    bool in_blocks_ = false;                           ///< tasks take turns, block of rows by block of rows
    std::vector<Pair> partial_;                        ///< sums of row chunks, or of tasks that take turns
    std::unique_ptr<Pair[]> send_;                     ///< sums of own rows: [owner][build][owned cells]
    std::size_t send_cells_ = 0;                       ///< room in send_
    std::vector<kernels::SplitCandidate> candidates_;  ///< [build][tile][node, sibling]
    std::vector<std::vector<std::uint32_t>> candidate_categories_;  ///< beside them; empty without categorical features
};

}  // namespace espalier::learn
