// Which rows of a data set are in which node of the trees that grow.
//
// Nouns: segment (the rows of one node, contiguous in one of its tree's two row lists, rising), split (a node whose
// rows are sent to two children). Steps of Split: rows are cut into blocks; each block puts its left rows before its
// right ones where it lies; the blocks of a node that has several are then copied to where they belong in the other
// list. The order within a node stays rising, whatever the number of threads. What this costs is mostly memory: 8 bytes
// are moved per row of a small node, 16 per row of a large one. Memory: 8 bytes per row and tree (4 without a matrix).
// Confined to the trainer's thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/worker_team.h"
#include "data/binned_matrix.h"
#include "data/stored_array.h"

namespace espalier::learn {

struct NodeSplit {
    std::uint32_t tree = 0;
    std::uint32_t node = 0;
    std::uint32_t left = 0;  ///< node numbers of the children
    std::uint32_t right = 0;
    std::uint32_t feature = 0;
    std::int32_t bin = 0;  ///< rows of bins <= bin go left
    bool default_left = false;
    /// [bins] 1 where a categorical split sends a category left; null: a numeric split.
    const std::uint8_t* left_categories = nullptr;
};

class RowPartition {
  public:
    /// For splits of `matrix`, which must outlive the partition.
    RowPartition(const data::BinnedMatrix& matrix, std::size_t num_trees);
    /// For rows that are placed in their leaves at once.
    RowPartition(std::size_t num_rows, std::size_t num_trees);

    /// Every row is in node 0 of every tree again.
    void Reset();

    /// Carries out splits of different nodes.
    void Split(std::span<const NodeSplit> splits, WorkerTeam& team);

    /// The rows of a tree are where `node_of_row` says; it has nodes 0 … num_nodes-1.
    void Place(std::uint32_t tree, std::span<const std::uint32_t> node_of_row, std::size_t num_nodes);

    /// The rows of the tree's leaves are in other nodes now: leaf_of [former nodes] says where (nodes that were no
    /// leaves: a number beyond num_nodes).
    void MoveLeaves(std::uint32_t tree, std::span<const std::uint32_t> leaf_of, std::size_t num_nodes);

    /// Rows of a node that was the root or a child of a split. Valid until the next Split of it, MoveLeaves or Reset.
    std::span<const std::uint32_t> RowsOf(std::uint32_t tree, std::uint32_t node) const {
        const Segment& segment = segments_[tree][node];
        return {RowsAt(tree, segment), segment.end - segment.begin};
    }
    /// Those of them in [begin, end).
    std::span<const std::uint32_t> RowsOf(std::uint32_t tree, std::uint32_t node, std::size_t begin,
                                          std::size_t end) const;
    std::size_t num_rows() const { return num_rows_; }

    /// Work on many nodes that reads arrays over rows goes block by block of as many rows: a node's rows lie apart, and
    /// what is read around them serves the other nodes while it is in the cache.
    static constexpr std::size_t kTurnRows = 32'768;

  private:
    enum class List : std::uint8_t { kFirst, kSecond, kAll };  ///< kAll: the rows in order, which every root has
    struct Segment {
        std::uint32_t begin = 0;
        std::uint32_t end = 0;
        List list = List::kFirst;
    };
    struct Block {
        std::uint32_t split = 0;
        std::uint32_t begin = 0;  ///< in the tree's row list
        std::uint32_t end = 0;
        std::uint32_t num_left = 0;
        std::uint32_t left_to = 0;
        std::uint32_t right_to = 0;
        bool moves = false;  ///< to the other list
    };
    /// Of one worker: codes beside the rows of a block, and the rows that go right.
    struct Scratch {
        std::vector<std::byte> codes;
        std::vector<std::uint32_t> right;
    };
    static List ListOfChildren(List list) { return list == List::kSecond ? List::kSecond : List::kFirst; }
    const std::uint32_t* RowsAt(std::uint32_t tree, const Segment& segment) const {
        if (segment.list == List::kAll) return all_rows_.data() + segment.begin;
        return lists_[static_cast<std::size_t>(segment.list)].data() + tree * num_rows_ + segment.begin;
    }
    void PlanBlocks(std::span<const NodeSplit> splits, WorkerTeam& team);
    /// Left rows, then right rows; returns how many are left.
    std::uint32_t SortBlock(const NodeSplit& split, const Block& block, Scratch& scratch);
    /// The children's segments, and where the blocks go.
    void PlaceChildren(std::span<const NodeSplit> splits);

    const data::BinnedMatrix* const matrix_;  ///< null: rows are only placed
    const std::size_t num_rows_;
    const std::size_t num_trees_;
    std::vector<std::uint32_t> all_rows_;                    ///< 0, 1, 2 …, with a matrix
    std::array<data::StoredArray<std::uint32_t>, 2> lists_;  ///< [trees x rows] each; the second with a matrix only
    std::vector<std::vector<Segment>> segments_;             ///< [trees][nodes]
    std::vector<Block> blocks_;
    std::vector<Scratch> scratch_;  ///< [workers]
};

}  // namespace espalier::learn
