#include "kernels/plane_forest.h"

namespace espalier::kernels {
namespace {

bool BitOf(const std::uint8_t* planes, std::size_t plane, std::size_t row) {
    return ((planes[plane * kPlaneBytes + row / 8] >> (row % 8)) & 1U) != 0;
}

void SetBit(std::uint8_t* planes, std::size_t plane, std::size_t row, bool bit) {
    std::uint8_t& byte = planes[plane * kPlaneBytes + row / 8];
    byte = static_cast<std::uint8_t>((byte & ~(1U << (row % 8))) | (static_cast<unsigned>(bit) << (row % 8)));
}

}  // namespace

void AddPlaneLeavesScalar(const PlaneForest& forest, const float* values, std::size_t num_rows, std::uint8_t* planes,
                          float* margins) {
    for (std::size_t row = 0; row < num_rows; ++row) {
        for (std::size_t column = 0; column < forest.num_columns; ++column) {
            float value = values[column * kPlaneStride + row];
            for (std::size_t c = forest.first_conditions[column]; c < forest.first_conditions[column + 1]; ++c) {
                const PlaneCondition& condition = forest.conditions[c];
                bool right = condition.default_left ? value >= condition.threshold : !(value < condition.threshold);
                SetBit(planes, c, row, right);
            }
        }
        for (std::size_t t = 0; t < forest.num_trees; ++t) {
            const PlaneTree& tree = forest.trees[t];
            for (std::size_t i = 0; i < tree.num_selects; ++i) {
                const PlaneSelect& select = forest.selects[tree.first_select + i];
                bool right = BitOf(planes, select.condition, row);
                SetBit(planes, select.out, row, BitOf(planes, right ? select.right : select.left, row));
            }
            std::size_t leaf = 0;
            for (std::size_t k = 0; k < tree.depth; ++k)
                leaf |= static_cast<std::size_t>(BitOf(planes, tree.bits[k], row)) << k;
            margins[tree.group * kPlaneRows + row] += forest.leaves[tree.first_leaf + leaf];
        }
    }
}

}  // namespace espalier::kernels
