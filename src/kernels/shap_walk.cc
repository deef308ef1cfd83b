#include "kernels/shap_walk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/shap_walk.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<double, kShapRows>;

// The rows of flags from `row` on as a mask.
HWY_INLINE hn::Mask<Tag> MaskOf(std::uint8_t flags, std::size_t row) {
    const std::uint8_t bits[8] = {static_cast<std::uint8_t>(flags >> row)};
    return hn::LoadMaskBits(Tag(), bits);
}

void Enter(const ShapTree& tree, std::int32_t at, std::uint8_t above, std::uint8_t on, const double* parent_products,
           double* products, double* sums) {
    const Tag d;
    const ShapEdge& edge = tree.edges[at];
    const std::size_t points = tree.num_points;
    const double* constants = tree.constants + static_cast<std::size_t>(at) * kShapConstants * points;
    const auto share = hn::Set(d, edge.share);
    for (std::size_t row = 0; row < kShapRows; row += hn::Lanes(d)) {
        const auto is_on = MaskOf(on, row);
        const auto was_on = MaskOf(above, row);
        for (std::size_t q = 0; q < points; ++q) {
            const std::size_t place = q * kShapRows + row;
            const auto off = hn::IfThenElse(was_on, hn::Set(d, constants[points + q]), share);
            const auto ratio = hn::IfThenElse(is_on, hn::Set(d, constants[q]), off);
            const auto product = hn::Mul(hn::Load(d, parent_products + place), ratio);
            hn::Store(product, d, products + place);
            const auto sum = edge.leaf ? hn::Mul(product, hn::Set(d, edge.value * tree.weights[q])) : hn::Zero(d);
            hn::Store(sum, d, sums + place);
        }
    }
}

void Leave(const ShapTree& tree, std::int32_t at, std::uint8_t above, std::uint8_t on, double* parent_sums,
           const double* sums, double* phi) {
    const Tag d;
    const ShapEdge& edge = tree.edges[at];
    const std::size_t points = tree.num_points;
    const auto inside_of = [&](std::int32_t which) {
        return tree.constants + (static_cast<std::size_t>(which) * kShapConstants + 2) * points;
    };
    const double* inside = inside_of(at);
    const double* ancestor = edge.ancestor < 0 ? nullptr : inside_of(edge.ancestor);
    for (std::size_t row = 0; row < kShapRows; row += hn::Lanes(d)) {
        const auto is_on = MaskOf(on, row);
        const auto was_on = MaskOf(above, row);
        auto part = hn::Zero(d);
        for (std::size_t q = 0; q < points; ++q) {
            const std::size_t place = q * kShapRows + row;
            const auto sum = hn::Load(d, sums + place);
            const auto outside = hn::Set(d, tree.outside[q]);
            auto factor = hn::IfThenElse(is_on, hn::Set(d, inside[q]), outside);
            if (ancestor != nullptr) factor = hn::Sub(factor, hn::IfThenElse(was_on, hn::Set(d, ancestor[q]), outside));
            part = hn::Add(part, hn::Mul(factor, sum));
            hn::Store(hn::Add(hn::Load(d, parent_sums + place), sum), d, parent_sums + place);
        }
        double* mine = phi + static_cast<std::size_t>(edge.slot) * kShapRows + row;
        hn::Store(hn::Add(hn::Load(d, mine), part), d, mine);
    }
}

void Walk(const ShapTree& tree, const std::uint8_t* went_right, double* scratch, std::uint8_t* flags, double* phi) {
    const std::size_t stride = tree.num_points * kShapRows;
    double* all_sums = scratch + (tree.depth + 1) * stride;
    for (std::size_t i = 0; i < stride; ++i) {
        scratch[i] = 1;
        all_sums[i] = 0;
    }
    for (std::size_t i = 0; i < tree.num_events; ++i) {
        const std::int32_t event = tree.events[i];
        const std::int32_t at = event >= 0 ? event : ~event;
        const ShapEdge& edge = tree.edges[at];
        const auto depth = static_cast<std::size_t>(edge.depth);
        const std::uint8_t above = edge.ancestor < 0 ? std::uint8_t{0xFF} : flags[tree.edges[edge.ancestor].depth];
        double* sums = all_sums + depth * stride;
        if (event >= 0) {
            const std::uint8_t side = went_right[edge.split];
            flags[depth] = above & (edge.right ? side : static_cast<std::uint8_t>(~side));
            double* products = scratch + depth * stride;
            Enter(tree, at, above, flags[depth], products - stride, products, sums);
        } else {
            Leave(tree, at, above, flags[depth], sums - stride, sums, phi);
        }
    }
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(Walk);

void WalkShap(const ShapTree& tree, const std::uint8_t* went_right, double* scratch, std::uint8_t* flags, double* phi) {
    HWY_DYNAMIC_DISPATCH(Walk)(tree, went_right, scratch, flags, phi);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
