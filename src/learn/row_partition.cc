#include "learn/row_partition.h"

#include <algorithm>
#include <numeric>

namespace espalier::learn {

namespace {

constexpr std::size_t kBlockRows = 16'384;
constexpr std::size_t kPrefetchRows = 32;

/// Where a code goes in a numeric split. Codes: bins, then missing, below, above (data/binned_matrix.h).
struct ThresholdRoute {
    std::uint32_t num_left_bins;
    std::uint32_t missing_code;
    std::uint32_t below_code;
    bool default_left;

    ThresholdRoute(const NodeSplit& split, const data::BinnedColumn& column)
        : num_left_bins(static_cast<std::uint32_t>(split.bin + 1)),
          missing_code(column.missing_code()),
          below_code(column.below_code()),
          default_left(split.default_left) {}

    std::uint32_t GoesLeft(std::uint32_t code) const {
        return static_cast<std::uint32_t>(code < num_left_bins) |
               static_cast<std::uint32_t>(default_left & (code == missing_code)) |
               static_cast<std::uint32_t>(code == below_code);
    }
};

/// Where a code goes in a categorical split: what is no category of the training rows goes left.
struct CategoryRoute {
    const std::uint8_t* left_categories;
    std::uint32_t num_bins;
    std::uint32_t missing_code;
    bool default_left;

    CategoryRoute(const NodeSplit& split, const data::BinnedColumn& column)
        : left_categories(split.left_categories),
          num_bins(column.num_bins),
          missing_code(column.missing_code()),
          default_left(split.default_left) {}

    std::uint32_t GoesLeft(std::uint32_t code) const {
        if (code < num_bins) return left_categories[code];
        return code == missing_code && !default_left ? 0 : 1;
    }
};

template <typename Code, typename Route>
std::uint32_t SortDense(std::span<const std::uint32_t> rows, const Code* codes, const Route& route, std::uint32_t* left,
                        std::uint32_t* right) {
    std::uint32_t num_left = 0;
    std::uint32_t num_right = 0;
    const std::size_t num_rows = rows.size();
    for (std::size_t i = 0; i < num_rows; ++i) {
        __builtin_prefetch(codes + rows[std::min(i + kPrefetchRows, num_rows - 1)]);
        const std::uint32_t row = rows[i];
        const std::uint32_t goes_left = route.GoesLeft(codes[row]);
        left[num_left] = row;
        right[num_right] = row;
        num_left += goes_left;
        num_right += 1 - goes_left;
    }
    return num_left;
}

template <typename Code, typename Route>
std::uint32_t SortSparse(std::span<const std::uint32_t> rows, const data::BinnedColumn& column, const Code* codes,
                         const Route& route, std::uint32_t* left, std::uint32_t* right) {
    if (rows.empty()) return 0;
    auto at = static_cast<std::size_t>(std::lower_bound(column.rows.begin(), column.rows.end(), rows.front()) -
                                       column.rows.begin());
    std::uint32_t num_left = 0;
    std::uint32_t num_right = 0;
    for (const std::uint32_t row : rows) {
        while (at < column.rows.size() && column.rows[at] < row) ++at;
        const bool present = at < column.rows.size() && column.rows[at] == row;
        const std::uint32_t goes_left = route.GoesLeft(present ? codes[at] : column.missing_code());
        left[num_left] = row;
        right[num_right] = row;
        num_left += goes_left;
        num_right += 1 - goes_left;
    }
    return num_left;
}

}  // namespace

RowPartition::RowPartition(const data::BinnedMatrix& matrix, std::size_t num_trees)
    : matrix_(&matrix), num_rows_(matrix.num_rows()), num_trees_(num_trees), segments_(num_trees) {
    rows_.resize(num_trees * num_rows_);
    left_rows_.resize(rows_.size());
    right_rows_.resize(rows_.size());
}

RowPartition::RowPartition(std::size_t num_rows, std::size_t num_trees)
    : matrix_(nullptr), num_rows_(num_rows), num_trees_(num_trees), segments_(num_trees) {
    rows_.resize(num_trees * num_rows_);
}

void RowPartition::Reset(WorkerTeam& team) {
    team.ForEach(num_trees_, [&](std::size_t tree, int) {
        std::uint32_t* rows = rows_.data() + tree * num_rows_;
        std::iota(rows, rows + num_rows_, 0U);
        segments_[tree].assign(1, Segment{0, static_cast<std::uint32_t>(num_rows_)});
    });
}

void RowPartition::Place(std::uint32_t tree, std::span<const std::uint32_t> node_of_row, std::size_t num_nodes) {
    std::vector<std::uint32_t> begin(num_nodes + 1, 0);
    for (const std::uint32_t node : node_of_row) ++begin[node + 1];
    for (std::size_t node = 0; node < num_nodes; ++node) begin[node + 1] += begin[node];
    std::vector<Segment>& segments = segments_[tree];
    segments.resize(num_nodes);
    for (std::size_t node = 0; node < num_nodes; ++node) segments[node] = {begin[node], begin[node + 1]};
    std::uint32_t* rows = rows_.data() + tree * num_rows_;
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

std::uint32_t RowPartition::SortBlock(const NodeSplit& split, const Block& block) {
    const std::size_t base = split.tree * num_rows_ + block.begin;
    const std::span<const std::uint32_t> rows(rows_.data() + base, block.end - block.begin);
    const data::BinnedColumn& column = matrix_->column(split.feature);
    std::uint32_t* left = left_rows_.data() + base;
    std::uint32_t* right = right_rows_.data() + base;
    const auto sort = [&](const auto& route) {
        return column.codes.Visit([&](const auto& codes) {
            return column.sparse ? SortSparse(rows, column, codes.data(), route, left, right)
                                 : SortDense(rows, codes.data(), route, left, right);
        });
    };
    return split.left_categories == nullptr ? sort(ThresholdRoute(split, column)) : sort(CategoryRoute(split, column));
}

void RowPartition::Split(std::span<const NodeSplit> splits, WorkerTeam& team) {
    blocks_.clear();
    for (std::size_t i = 0; i < splits.size(); ++i) {
        const Segment segment = segments_[splits[i].tree][splits[i].node];
        for (std::uint32_t begin = segment.begin; begin < segment.end;) {
            const auto end = static_cast<std::uint32_t>(std::min<std::size_t>(begin + kBlockRows, segment.end));
            blocks_.push_back({.split = static_cast<std::uint32_t>(i), .begin = begin, .end = end});
            begin = end;
        }
    }
    team.ForEach(blocks_.size(), [&](std::size_t task, int) {
        Block& block = blocks_[task];
        block.num_left = SortBlock(splits[block.split], block);
    });
    std::size_t first = 0;
    for (std::size_t i = 0; i < splits.size(); ++i) {
        std::size_t last = first;
        std::uint32_t num_left = 0;
        while (last < blocks_.size() && blocks_[last].split == i) num_left += blocks_[last++].num_left;
        std::vector<Segment>& segments = segments_[splits[i].tree];
        const Segment parent = segments[splits[i].node];
        segments.resize(
            std::max<std::size_t>(segments.size(), std::max(splits[i].left, splits[i].right) + std::size_t{1}));
        const std::uint32_t middle = parent.begin + num_left;
        segments[splits[i].left] = {parent.begin, middle};
        segments[splits[i].right] = {middle, parent.end};
        std::uint32_t left_to = parent.begin;
        std::uint32_t right_to = middle;
        for (; first < last; ++first) {
            blocks_[first].left_to = left_to;
            blocks_[first].right_to = right_to;
            left_to += blocks_[first].num_left;
            right_to += blocks_[first].end - blocks_[first].begin - blocks_[first].num_left;
        }
    }
    team.ForEach(blocks_.size(), [&](std::size_t task, int) {
        const Block& block = blocks_[task];
        const std::size_t tree_base = splits[block.split].tree * num_rows_;
        const std::uint32_t* left = left_rows_.data() + tree_base + block.begin;
        const std::uint32_t* right = right_rows_.data() + tree_base + block.begin;
        std::copy_n(left, block.num_left, rows_.data() + tree_base + block.left_to);
        std::copy_n(right, block.end - block.begin - block.num_left, rows_.data() + tree_base + block.right_to);
    });
}

}  // namespace espalier::learn
