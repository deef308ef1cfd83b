// Which nodes of the growing trees are split next, as xgboost's driver orders them (tree/driver.h).
//
// Nouns: open (a node whose best split is known and which is neither split nor given up). Depthwise takes all open
// nodes of a tree, in the order of their numbers; lossguide the one whose split changes the loss most, ties to the
// lower number. Thread-compatible.
#pragma once

#include <cstdint>
#include <vector>

#include "learn/growing_tree.h"
#include "learn/train_params.h"

namespace espalier::learn {

class GrowthQueue {
  public:
    explicit GrowthQueue(const TrainParams& params) : params_(params) {}

    /// As many trees, each of one leaf.
    void Reset(std::size_t num_trees);
    void Open(std::uint32_t tree, std::uint32_t node) { trees_[tree].open.push_back(node); }

    struct Next {
        std::vector<std::uint32_t> split;   ///< to be split now; counted as split
        std::vector<std::uint32_t> closed;  ///< will stay leaves
    };
    /// Takes the next nodes of a tree.
    Next Pop(std::uint32_t tree, const GrowingTree& growing);

    /// False when nodes of this depth will not be split whatever their histograms say.
    bool MaySplitAt(std::uint32_t tree, int depth) const;

  private:
    struct OpenTree {
        std::vector<std::uint32_t> open;
        int num_leaves = 1;
    };
    bool MaySplit(std::uint32_t tree, const GrowingNode& node) const;

    const TrainParams params_;
    std::vector<OpenTree> trees_;
};

}  // namespace espalier::learn
