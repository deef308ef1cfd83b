#include "learn/row_partition.h"

#include <algorithm>
#include <numeric>

#include "kernels/row_split.h"

namespace espalier::learn {

namespace {

// A block's rows, codes and scratch stay in the L2 cache; smaller ones where there is too little for all threads.
constexpr std::size_t kBlockRowsMax = 32'768;
constexpr std::size_t kBlockRowsMin = 4'096;

/// The codes of a column at `rows`, which rise.
template <typename Code>
void GatherCodes(const data::BinnedColumn& column, const Code* codes, std::span<const std::uint32_t> rows, Code* out) {
    if (!column.sparse) {
        for (std::size_t i = 0; i < rows.size(); ++i) out[i] = codes[rows[i]];
        return;
    }
    auto at = static_cast<std::size_t>(std::lower_bound(column.rows.begin(), column.rows.end(), rows.front()) -
                                       column.rows.begin());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        while (at < column.rows.size() && column.rows[at] < rows[i]) ++at;
        const bool present = at < column.rows.size() && column.rows[at] == rows[i];
        out[i] = present ? codes[at] : static_cast<Code>(column.missing_code());
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
    : matrix_(&matrix), num_rows_(matrix.num_rows()), num_trees_(num_trees), segments_(num_trees) {
    all_rows_.resize(num_rows_);
    std::iota(all_rows_.begin(), all_rows_.end(), 0U);
    for (auto& list : lists_) list = data::ArrayStore().Make<std::uint32_t>(num_trees * num_rows_);
}

RowPartition::RowPartition(std::size_t num_rows, std::size_t num_trees)
    : matrix_(nullptr), num_rows_(num_rows), num_trees_(num_trees), segments_(num_trees) {
    lists_[0] = data::ArrayStore().Make<std::uint32_t>(num_trees * num_rows_);
}

void RowPartition::Reset() {
    for (auto& segments : segments_) segments.assign(1, {0, static_cast<std::uint32_t>(num_rows_), List::kAll});
}

std::span<const std::uint32_t> RowPartition::RowsOf(std::uint32_t tree, std::uint32_t node, std::size_t begin,
                                                    std::size_t end) const {
    const std::span<const std::uint32_t> rows = RowsOf(tree, node);
    const auto first = begin == 0 ? rows.begin() : std::lower_bound(rows.begin(), rows.end(), begin);
    const auto last = end >= num_rows_ ? rows.end() : std::lower_bound(first, rows.end(), end);
    return {first, last};
}

void RowPartition::Place(std::uint32_t tree, std::span<const std::uint32_t> node_of_row, std::size_t num_nodes) {
    std::vector<std::uint32_t> begin(num_nodes + 1, 0);
    for (const std::uint32_t node : node_of_row) ++begin[node + 1];
    for (std::size_t node = 0; node < num_nodes; ++node) begin[node + 1] += begin[node];
    std::vector<Segment>& segments = segments_[tree];
    segments.resize(num_nodes);
    for (std::size_t node = 0; node < num_nodes; ++node) segments[node] = {begin[node], begin[node + 1], List::kFirst};
    std::uint32_t* rows = lists_[0].data() + tree * num_rows_;
    for (std::size_t row = 0; row < num_rows_; ++row) rows[begin[node_of_row[row]]++] = static_cast<std::uint32_t>(row);
}

void RowPartition::MoveLeaves(std::uint32_t tree, std::span<const std::uint32_t> leaf_of, std::size_t num_nodes) {
    std::vector<std::uint32_t> node_of_row(num_rows_);
    for (std::uint32_t node = 0; node < leaf_of.size(); ++node) {
        if (leaf_of[node] >= num_nodes) continue;
        for (const std::uint32_t row : RowsOf(tree, node)) node_of_row[row] = leaf_of[node];
    }
    Place(tree, node_of_row, num_nodes);
}

void RowPartition::PlanBlocks(std::span<const NodeSplit> splits, WorkerTeam& team) {
    std::size_t num_rows = 0;
    for (const NodeSplit& split : splits) num_rows += RowsOf(split.tree, split.node).size();
    const std::size_t block_rows =
        std::clamp(num_rows / (static_cast<std::size_t>(team.num_threads()) * 4), kBlockRowsMin, kBlockRowsMax);
    blocks_.clear();
    for (std::uint32_t i = 0; i < splits.size(); ++i) {
        const Segment segment = segments_[splits[i].tree][splits[i].node];
        for (std::uint32_t begin = segment.begin; begin < segment.end;) {
            const auto end = static_cast<std::uint32_t>(std::min<std::size_t>(begin + block_rows, segment.end));
            blocks_.push_back({.split = i, .begin = begin, .end = end});
            blocks_.back().moves = end - begin < segment.end - segment.begin;
            begin = end;
        }
    }
}

std::uint32_t RowPartition::SortBlock(const NodeSplit& split, const Block& block, Scratch& scratch) {
    const Segment& parent = segments_[split.tree][split.node];
    const std::span rows(RowsAt(split.tree, {block.begin, block.end, parent.list}), block.end - block.begin);
    const data::BinnedColumn& column = matrix_->column(split.feature);
    std::uint32_t* const left =
        lists_[static_cast<std::size_t>(ListOfChildren(parent.list))].data() + split.tree * num_rows_ + block.begin;
    scratch.right.resize(kBlockRowsMax);
    scratch.codes.resize(kBlockRowsMax * sizeof(std::uint32_t));
    const std::size_t num_left = column.codes.Visit([&](const auto& codes) {
        using Code = typename std::decay_t<decltype(codes)>::value_type;
        if (parent.list == List::kAll && !column.sparse && split.left_categories == nullptr) {
            return kernels::SplitRows(rows.data(), rows.size(), codes.data() + block.begin, RouteOf(split, column),
                                      left, scratch.right.data());
        }
        Code* const gathered = reinterpret_cast<Code*>(scratch.codes.data());
        GatherCodes(column, codes.data(), rows, gathered);
        kernels::SplitRoute route = RouteOf(split, column);
        if (split.left_categories != nullptr) {
            RouteCategories(split, column, std::span(gathered, rows.size()));
            route = {.num_left = 1};
        }
        return kernels::SplitRows(rows.data(), rows.size(), gathered, route, left, scratch.right.data());
    });
    std::copy_n(scratch.right.data(), rows.size() - num_left, left + num_left);
    return static_cast<std::uint32_t>(num_left);
}

void RowPartition::PlaceChildren(std::span<const NodeSplit> splits) {
    std::size_t first = 0;
    for (std::uint32_t i = 0; i < splits.size(); ++i) {
        std::size_t last = first;
        std::uint32_t num_left = 0;
        while (last < blocks_.size() && blocks_[last].split == i) num_left += blocks_[last++].num_left;
        std::vector<Segment>& segments = segments_[splits[i].tree];
        const Segment parent = segments[splits[i].node];
        List list = ListOfChildren(parent.list);
        if (last - first > 1) list = list == List::kFirst ? List::kSecond : List::kFirst;
        segments.resize(
            std::max<std::size_t>(segments.size(), std::max(splits[i].left, splits[i].right) + std::size_t{1}));
        const std::uint32_t middle = parent.begin + num_left;
        segments[splits[i].left] = {parent.begin, middle, list};
        segments[splits[i].right] = {middle, parent.end, list};
        std::uint32_t left_to = parent.begin;
        std::uint32_t right_to = middle;
        for (; first < last; ++first) {
            blocks_[first].left_to = left_to;
            blocks_[first].right_to = right_to;
            left_to += blocks_[first].num_left;
            right_to += blocks_[first].end - blocks_[first].begin - blocks_[first].num_left;
        }
    }
}

void RowPartition::Split(std::span<const NodeSplit> splits, WorkerTeam& team) {
    PlanBlocks(splits, team);
    scratch_.resize(static_cast<std::size_t>(team.num_threads()));
    team.ForEach(blocks_.size(), [&](std::size_t task, int worker) {
        Block& block = blocks_[task];
        block.num_left = SortBlock(splits[block.split], block, scratch_[static_cast<std::size_t>(worker)]);
    });
    PlaceChildren(splits);
    team.ForEach(blocks_.size(), [&](std::size_t task, int) {
        const Block& block = blocks_[task];
        if (!block.moves) return;
        const NodeSplit& split = splits[block.split];
        const auto from = static_cast<std::size_t>(ListOfChildren(segments_[split.tree][split.node].list));
        const std::uint32_t* const rows = lists_[from].data() + split.tree * num_rows_ + block.begin;
        std::uint32_t* const to = lists_[1 - from].data() + split.tree * num_rows_;
        std::copy_n(rows, block.num_left, to + block.left_to);
        std::copy_n(rows + block.num_left, block.end - block.begin - block.num_left, to + block.right_to);
    });
}

}  // namespace espalier::learn
