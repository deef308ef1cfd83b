#include "learn/row_partition.h"

#include <algorithm>
#include <utility>

#include "kernels/row_split.h"

namespace espalier::learn {

namespace {

// Rows of a task: many enough to be worth the hand-over, few enough for all threads to have some.
constexpr std::size_t kTaskRowsMax = 32'768;
constexpr std::size_t kTaskRowsMin = 4'096;

/// The codes of a column at the rows of a piece. By value: a byte that is written might be any other's.
template <typename Code>
void GatherCodes(const data::BinnedColumn& column, const Code* codes, const RowPiece piece, Code* out) {
    if (!column.sparse) {
        const Code* const of_block = codes + piece.first_row;
        for (std::size_t i = 0; i < piece.size; ++i) out[i] = of_block[piece.places[i]];
        return;
    }
    const auto missing = static_cast<Code>(column.missing_code());
    auto at = static_cast<std::size_t>(
        std::lower_bound(column.rows.begin(), column.rows.end(), piece.first_row + piece.places[0]) -
        column.rows.begin());
    for (std::size_t i = 0; i < piece.size; ++i) {
        const std::uint32_t row = piece.first_row + piece.places[i];
        while (at < column.rows.size() && column.rows[at] < row) ++at;
        const bool present = at < column.rows.size() && column.rows[at] == row;
        out[i] = present ? codes[at] : missing;
    }
}

/// 0 where a categorical split sends a code left, else 1. What is no category of the training rows goes left.
template <typename Code>
void RouteCategories(const NodeSplit& split, const data::BinnedColumn& column, std::span<Code> codes) {
    for (Code& code : codes) {
        const bool is_category = code < column.num_bins;
        const bool goes_left =
            is_category ? split.left_categories[code] != 0 : code != column.missing_code() || split.default_left;
        code = goes_left ? 0 : 1;
    }
}

kernels::SplitRoute RouteOf(const NodeSplit& split, const data::BinnedColumn& column) {
    const std::uint32_t below = column.below_code();
    return {.num_left = static_cast<std::uint32_t>(split.bin + 1),
            .also_left = {below, split.default_left ? column.missing_code() : below}};
}

}  // namespace

RowPartition::RowPartition(const data::BinnedMatrix& matrix, std::size_t num_trees)
    : RowPartition(matrix.num_rows(), num_trees) {
    matrix_ = &matrix;
}

RowPartition::RowPartition(std::size_t num_rows, std::size_t num_trees)
    : matrix_(nullptr),
      all_rows_(num_rows),
      places_(data::ArrayStore().Make<std::uint16_t>(num_trees * num_rows)),
      trees_(num_trees) {}

void RowPartition::Reset() {
    const std::span<const RowPiece> all = all_rows_.rows().pieces();
    for (Tree& tree : trees_) {
        tree.nodes.assign(1, {.first_piece = 0, .num_pieces = all.size(), .num_rows = num_rows()});
        tree.pieces.assign(all.begin(), all.end());
    }
}

void RowPartition::Place(std::uint32_t tree, std::span<const std::uint32_t> node_of_row, std::size_t num_nodes) {
    struct Placed {
        std::uint32_t node;
        RowPiece piece;
    };
    std::vector<Placed> placed;  // By block.
    std::vector<std::uint32_t> next(num_nodes, 0);
    Tree& target = trees_[tree];
    target.nodes.assign(num_nodes, {});
    for (std::size_t first = 0; first < node_of_row.size(); first += kNodeBlockRows) {
        const auto nodes = node_of_row.subspan(first, std::min(kNodeBlockRows, node_of_row.size() - first));
        const std::size_t first_placed = placed.size();
        for (const std::uint32_t node : nodes) {
            if (next[node]++ == 0) placed.push_back({node, {.first_row = static_cast<std::uint32_t>(first)}});
        }
        std::uint16_t* const places = PlacesOf(tree, first);
        std::uint32_t begin = 0;
        for (Placed& one : std::span(placed).subspan(first_placed)) {
            one.piece.places = places + begin;
            one.piece.size = next[one.node];
            next[one.node] = begin;
            begin += one.piece.size;
            target.nodes[one.node].num_pieces += 1;
            target.nodes[one.node].num_rows += one.piece.size;
        }
        for (std::size_t place = 0; place < nodes.size(); ++place) {
            places[next[nodes[place]]++] = static_cast<std::uint16_t>(place);
        }
        for (const Placed& one : std::span(placed).subspan(first_placed)) next[one.node] = 0;
    }
    std::size_t num_pieces = 0;
    for (Node& node : target.nodes) node.first_piece = std::exchange(num_pieces, num_pieces + node.num_pieces);
    target.pieces.resize(num_pieces);
    for (const Placed& one : placed) target.pieces[target.nodes[one.node].first_piece + next[one.node]++] = one.piece;
}

void RowPartition::MoveLeaves(std::uint32_t tree, std::span<const std::uint32_t> leaf_of, std::size_t num_nodes) {
    std::vector<std::uint32_t> node_of_row(num_rows());
    for (std::uint32_t node = 0; node < leaf_of.size(); ++node) {
        if (leaf_of[node] >= num_nodes) continue;
        RowsOf(tree, node).ForEachRow([&](std::uint32_t row) { node_of_row[row] = leaf_of[node]; });
    }
    Place(tree, node_of_row, num_nodes);
}

void RowPartition::PlanTasks(std::span<const NodeSplit> splits, WorkerTeam& team) {
    std::size_t num_rows = 0;
    std::size_t num_pieces = 0;
    first_count_.clear();
    for (const NodeSplit& split : splits) {
        const NodeRows rows = RowsOf(split.tree, split.node);
        first_count_.push_back(num_pieces);
        num_pieces += rows.pieces().size();
        num_rows += rows.size();
    }
    num_left_.resize(num_pieces);
    const std::size_t task_rows =
        std::clamp(num_rows / (static_cast<std::size_t>(team.num_threads()) * 4), kTaskRowsMin, kTaskRowsMax);
    parts_.clear();
    task_begin_ = {0};
    std::vector<std::uint32_t> next(splits.size(), 0);
    std::size_t rows_of_task = 0;
    for (std::size_t first_row = 0; parts_.size() < num_pieces; first_row += kNodeBlockRows) {
        for (std::uint32_t i = 0; i < splits.size(); ++i) {
            const std::span<const RowPiece> pieces = RowsOf(splits[i].tree, splits[i].node).pieces();
            if (next[i] == pieces.size() || pieces[next[i]].first_row != first_row) continue;
            rows_of_task += pieces[next[i]].size;
            parts_.push_back({.split = i, .nth = next[i]++});
            if (rows_of_task < task_rows) continue;
            task_begin_.push_back(parts_.size());
            rows_of_task = 0;
        }
    }
    if (task_begin_.back() < num_pieces) task_begin_.push_back(num_pieces);
}

std::uint32_t RowPartition::SplitPiece(const NodeSplit& split, RowPiece& piece, bool is_root, Scratch& scratch) {
    const data::BinnedColumn& column = matrix_->column(split.feature);
    // Where the piece's places may be written: a root has those of all trees.
    std::uint16_t* const own =
        is_root ? PlacesOf(split.tree, piece.first_row) : places_.data() + (piece.places - places_.data());
    scratch.right.resize(kNodeBlockRows);
    scratch.codes.resize(kNodeBlockRows * sizeof(std::uint32_t));
    const std::size_t num_left = column.codes.Visit([&](const auto& codes) {
        using Code = typename std::decay_t<decltype(codes)>::value_type;
        const Code* beside = codes.data() + piece.first_row;
        kernels::SplitRoute route = RouteOf(split, column);
        if (!is_root || column.sparse || split.left_categories != nullptr) {
            Code* const gathered = reinterpret_cast<Code*>(scratch.codes.data());
            GatherCodes(column, codes.data(), piece, gathered);
            if (split.left_categories != nullptr) {
                RouteCategories(split, column, std::span(gathered, piece.size));
                route = {.num_left = 1};
            }
            beside = gathered;
        }
        return kernels::SplitRows(piece.places, piece.size, beside, route, own, scratch.right.data());
    });
    std::copy_n(scratch.right.data(), piece.size - num_left, own + num_left);
    piece.places = own;
    return static_cast<std::uint32_t>(num_left);
}

void RowPartition::PlaceChildren(const NodeSplit& split, std::span<const std::uint32_t> num_left) {
    Tree& tree = trees_[split.tree];
    const std::size_t num_nodes = std::max(split.left, split.right) + std::size_t{1};
    if (tree.nodes.size() < num_nodes) tree.nodes.resize(num_nodes);
    const Node parent = tree.nodes[split.node];
    Node left = {.first_piece = parent.first_piece};
    Node right = {.first_piece = tree.pieces.size()};
    for (std::size_t i = 0; i < parent.num_pieces; ++i) {
        const RowPiece piece = tree.pieces[parent.first_piece + i];
        const std::uint32_t size = num_left[i];
        if (size > 0) {
            tree.pieces[left.first_piece + left.num_pieces++] = {piece.places, size, piece.first_row};
            left.num_rows += size;
        }
        if (size < piece.size) {
            tree.pieces.push_back({piece.places + size, piece.size - size, piece.first_row});
            ++right.num_pieces;
        }
    }
    right.num_rows = parent.num_rows - left.num_rows;
    tree.nodes[split.left] = left;
    tree.nodes[split.right] = right;
}

void RowPartition::Split(std::span<const NodeSplit> splits, WorkerTeam& team) {
    PlanTasks(splits, team);
    scratch_.resize(static_cast<std::size_t>(team.num_threads()));
    team.ForEach(task_begin_.size() - 1, [&](std::size_t task, int worker) {
        for (std::size_t i = task_begin_[task]; i < task_begin_[task + 1]; ++i) {
            const Part& part = parts_[i];
            const NodeSplit& split = splits[part.split];
            Tree& tree = trees_[split.tree];
            RowPiece& piece = tree.pieces[tree.nodes[split.node].first_piece + part.nth];
            num_left_[first_count_[part.split] + part.nth] =
                SplitPiece(split, piece, split.node == 0, scratch_[static_cast<std::size_t>(worker)]);
        }
    });
    for (std::size_t i = 0; i < splits.size(); ++i) {
        PlaceChildren(splits[i], std::span(num_left_).subspan(first_count_[i]));
    }
}

}  // namespace espalier::learn
