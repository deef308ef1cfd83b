// Which rows of a data set are in which node of the trees that grow.
//
// Nouns: see node_rows.h; split (a node whose rows are sent to two children). Each piece of a node is split where it
// lies, its left rows before its right ones, so rows never leave their block and what Split moves is 4 bytes a row that
// stay in the cache. The order within a node stays rising, whatever the number of threads. Memory: 2 bytes per row and
// tree, 16 per piece. Confined to the trainer's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/worker_team.h"
#include "data/binned_matrix.h"
#include "data/stored_array.h"
#include "learn/node_rows.h"

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

    /// Rows of a node that was the root or a child of a split. Valid until the next call that is not const.
    NodeRows RowsOf(std::uint32_t tree, std::uint32_t node) const {
        const Node& asked = trees_[tree].nodes[node];
        return {std::span(trees_[tree].pieces).subspan(asked.first_piece, asked.num_pieces), asked.num_rows};
    }
    std::size_t num_rows() const { return all_rows_.size(); }

  private:
    struct Node {
        std::size_t first_piece = 0;
        std::size_t num_pieces = 0;
        std::size_t num_rows = 0;
    };
    /// A left child takes its parent's places among the pieces, a right one new ones.
    struct Tree {
        std::vector<Node> nodes;
        std::vector<RowPiece> pieces;
    };
    /// A piece of a node that is split.
    struct Part {
        std::uint32_t split = 0;
        std::uint32_t nth = 0;  ///< piece of the node
    };
    /// Of one worker: codes beside the rows of a piece, and the rows that go right.
    struct Scratch {
        std::vector<std::byte> codes;
        std::vector<std::uint16_t> right;
    };
    std::uint16_t* PlacesOf(std::uint32_t tree, std::size_t first_row) {
        return places_.data() + tree * num_rows() + first_row;
    }
    /// Parts in the order of their blocks, whose codes then stay in the cache, and tasks of enough of them.
    void PlanTasks(std::span<const NodeSplit> splits, WorkerTeam& team);
    /// Left rows, then right rows, in the tree's own places; returns how many are left.
    std::uint32_t SplitPiece(const NodeSplit& split, RowPiece& piece, bool is_root, Scratch& scratch);
    /// The children of a split whose pieces have been split, num_left [pieces] to the left.
    void PlaceChildren(const NodeSplit& split, std::span<const std::uint32_t> num_left);

    const data::BinnedMatrix* matrix_;         ///< null: rows are only placed
    AllRows all_rows_;                         ///< which every root has
    data::StoredArray<std::uint16_t> places_;  ///< [trees x rows], each block's in the block's own stretch
    std::vector<Tree> trees_;
    std::vector<Part> parts_;
    std::vector<std::size_t> task_begin_;   ///< [tasks + 1] in parts_
    std::vector<std::size_t> first_count_;  ///< [splits] in num_left_
    std::vector<std::uint32_t> num_left_;   ///< [pieces of all splits]
    std::vector<Scratch> scratch_;          ///< [workers]
};

}  // namespace espalier::learn
