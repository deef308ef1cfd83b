#include <algorithm>

#include "kernels/shap_walk.h"

namespace espalier::kernels {
namespace {

struct Walk {
    const ShapTree& tree;
    const std::uint8_t* went_right;
    double* scratch;  // [depth + 1] products, then [depth + 1] sums, each [points x 8]
    std::uint8_t* flags;
    double* phi;

    std::size_t Stride() const { return tree.num_points * kShapRows; }
    double* Products(std::size_t depth) const { return scratch + depth * Stride(); }
    double* Sums(std::size_t depth) const { return scratch + (tree.depth + 1 + depth) * Stride(); }
    const double* Constants(std::int32_t edge) const {
        return tree.constants + static_cast<std::size_t>(edge) * kShapConstants * tree.num_points;
    }
    std::uint8_t AncestorFlags(const ShapEdge& edge) const {
        return edge.ancestor < 0 ? std::uint8_t{0xFF} : flags[tree.edges[edge.ancestor].depth];
    }

    void Enter(std::int32_t at) const {
        const ShapEdge& edge = tree.edges[at];
        auto depth = static_cast<std::size_t>(edge.depth);
        std::uint8_t above = AncestorFlags(edge);
        std::uint8_t side = went_right[edge.split];
        std::uint8_t on = above & (edge.right ? side : static_cast<std::uint8_t>(~side));
        flags[depth] = on;
        const double* constants = Constants(at);
        for (std::size_t q = 0; q < tree.num_points; ++q) {
            for (std::size_t r = 0; r < kShapRows; ++r) {
                bool is_on = ((on >> r) & 1U) != 0;
                bool was_on = ((above >> r) & 1U) != 0;
                double ratio = is_on ? constants[q] : was_on ? constants[tree.num_points + q] : edge.share;
                double product = Products(depth - 1)[q * kShapRows + r] * ratio;
                Products(depth)[q * kShapRows + r] = product;
                Sums(depth)[q * kShapRows + r] = edge.leaf ? product * (edge.value * tree.weights[q]) : 0;
            }
        }
    }

    void Leave(std::int32_t at) const {
        const ShapEdge& edge = tree.edges[at];
        auto depth = static_cast<std::size_t>(edge.depth);
        std::uint8_t above = AncestorFlags(edge);
        const double* constants = Constants(at) + 2 * tree.num_points;
        const double* ancestor = edge.ancestor < 0 ? nullptr : Constants(edge.ancestor) + 2 * tree.num_points;
        for (std::size_t r = 0; r < kShapRows; ++r) {
            bool is_on = ((flags[depth] >> r) & 1U) != 0;
            bool was_on = ((above >> r) & 1U) != 0;
            double part = 0;
            for (std::size_t q = 0; q < tree.num_points; ++q) {
                double sum = Sums(depth)[q * kShapRows + r];
                double factor = is_on ? constants[q] : tree.outside[q];
                if (ancestor != nullptr) factor -= was_on ? ancestor[q] : tree.outside[q];
                part += factor * sum;
                Sums(depth - 1)[q * kShapRows + r] += sum;
            }
            phi[static_cast<std::size_t>(edge.slot) * kShapRows + r] += part;
        }
    }
};

}  // namespace

void WalkShapScalar(const ShapTree& tree, const std::uint8_t* went_right, double* scratch, std::uint8_t* flags,
                    double* phi) {
    Walk walk{tree, went_right, scratch, flags, phi};
    std::fill_n(walk.Products(0), walk.Stride(), 1.0);
    std::fill_n(walk.Sums(0), walk.Stride(), 0.0);
    for (std::size_t i = 0; i < tree.num_events; ++i) {
        std::int32_t event = tree.events[i];
        if (event >= 0) {
            walk.Enter(event);
        } else {
            walk.Leave(~event);
        }
    }
}

}  // namespace espalier::kernels
