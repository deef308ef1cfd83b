// Trees compiled for kernels/plane_forest.h. Internal to model/. Immutable once built; thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "kernels/plane_forest.h"
#include "model/memory_size.h"
#include "model/tree_ensemble.h"

namespace espalier::model {

class PlaneProgram {
  public:
    /// Nothing when a tree is too deep, has categories or leaf vectors, or when the planes would be too many for the
    /// cache. column_of gives a feature its column; groups its number. The trees must satisfy CheckEnsemble.
    static std::optional<PlaneProgram> Compile(const TreeEnsemble& ensemble, std::size_t num_columns,
                                               const std::function<std::uint32_t(std::uint32_t feature)>& column_of);

    kernels::PlaneForest View() const;
    /// With those that hold what selections give.
    std::size_t num_planes() const { return num_planes_; }
    std::size_t memory_bytes() const { return BytesOf(first_conditions_, conditions_, selects_, trees_, leaves_); }

  private:
    struct Building;
    void CompileTree(Building& building, const Tree& tree, std::uint32_t group, float weight);
    std::optional<std::uint32_t> BitAt(Building& building, const Tree& tree, std::size_t node, std::size_t depth,
                                       std::size_t bit);

    std::vector<std::uint32_t> first_conditions_;
    std::vector<kernels::PlaneCondition> conditions_;
    std::vector<kernels::PlaneSelect> selects_;
    std::vector<kernels::PlaneTree> trees_;
    std::vector<float> leaves_;
    std::size_t num_planes_ = 0;
};

}  // namespace espalier::model
