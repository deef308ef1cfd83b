#include "model/explainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "base/check.h"
#include "model/links.h"
#include "model/shap_paths.h"

namespace espalier::model {
namespace {

using kernels::kShapRows;

class LinearExplainer final : public Explainer {
  public:
    LinearExplainer(const TreeEnsemble& ensemble, std::vector<float> base_margins)
        : ensemble_(ensemble), base_margins_(std::move(base_margins)), stride_(std::size_t{ensemble.num_feature} + 1) {}

    std::size_t contributions_per_row() const override { return base_margins_.size() * stride_; }

    void Contributions(const data::FeatureRows& rows, std::span<float> contributions) const override {
        std::fill(contributions.begin(), contributions.end(), 0.0F);
        std::size_t groups = base_margins_.size();
        for (std::size_t row = 0; row < rows.num_rows(); ++row) {
            float* out = contributions.data() + row * contributions_per_row();
            for (std::size_t group = 0; group < groups; ++group) {
                out[group * stride_ + stride_ - 1] =
                    ensemble_.linear_weights[(stride_ - 1) * groups + group] + base_margins_[group];
            }
            for (std::uint64_t e = rows.row_offsets[row]; e < rows.row_offsets[row + 1]; ++e) {
                std::size_t feature = rows.feature_idx[e];
                if (feature >= ensemble_.num_feature) continue;
                for (std::size_t group = 0; group < groups; ++group) {
                    out[group * stride_ + feature] =
                        rows.values[e] * ensemble_.linear_weights[feature * groups + group];
                }
            }
        }
    }

    // A sum has no interactions; stock answers zeros throughout.
    void Interactions(const data::FeatureRows&, std::span<float> interactions) const override {
        std::fill(interactions.begin(), interactions.end(), 0.0F);
    }

  private:
    const TreeEnsemble& ensemble_;
    std::vector<float> base_margins_;
    std::size_t stride_;
};

// The last edge of each feature on the way to a leaf.
struct PathFeature {
    std::int32_t edge;
    double share;
    std::size_t depth;
};

class TreeExplainer final : public Explainer {
  public:
    TreeExplainer(const TreeEnsemble& ensemble, std::vector<float> base_margins)
        : base_margins_(std::move(base_margins)), num_feature_(ensemble.num_feature) {
        for (const Tree& tree : ensemble.trees) {
            for (std::size_t node = 0; node < tree.num_nodes(); ++node) {
                bool used = !tree.is_leaf(node) && tree.split_indices[node] >= 0;
                if (used) slots_.push_back(static_cast<std::uint32_t>(tree.split_indices[node]));
            }
        }
        std::sort(slots_.begin(), slots_.end());
        slots_.erase(std::unique(slots_.begin(), slots_.end()), slots_.end());
    }

    Result<void> AddTrees(const TreeEnsemble& ensemble) {
        mean_.assign(base_margins_.begin(), base_margins_.end());
        for (std::size_t i = 0; i < ensemble.trees.size(); ++i) {
            const Tree& tree = ensemble.trees[i];
            double weight = ensemble.booster == Booster::kDart ? static_cast<double>(ensemble.weight_drop[i]) : 1;
            auto first = static_cast<std::size_t>(ensemble.tree_info[i]);
            std::size_t last = tree.has_leaf_vectors() ? base_margins_.size() : first + 1;
            for (std::size_t group = tree.has_leaf_vectors() ? 0 : first; group < last; ++group) {
                ShapPaths paths(tree, tree.has_leaf_vectors() ? group : 0, weight, slots_);
                if (paths.depth() > kExplainedDepthMax) {
                    return Error(ErrorCode::kInvalidArgument,
                                 fmt::format("tree {} is {} splits deep; contributions are computed up to {}", i,
                                             paths.depth(), kExplainedDepthMax));
                }
                mean_[group] += paths.mean();
                if (paths.depth() == 0) continue;
                paths.SetConstants(RuleOf(paths.num_points()));
                deepest_ = std::max(deepest_, paths.depth());
                splits_max_ = std::max(splits_max_, paths.num_splits());
                trees_.emplace_back(group, std::move(paths));
            }
        }
        return {};
    }

    std::size_t contributions_per_row() const override { return base_margins_.size() * (num_feature_ + 1); }

    void Contributions(const data::FeatureRows& rows, std::span<float> contributions) const override {
        CHECK(contributions.size() == rows.num_rows() * contributions_per_row());
        std::fill(contributions.begin(), contributions.end(), 0.0F);
        Scratch scratch(*this);
        for (std::size_t first = 0; first < rows.num_rows(); first += kShapRows) {
            std::size_t count = std::min(kShapRows, rows.num_rows() - first);
            scratch.Fill(rows, first, count);
            std::fill(scratch.phi.begin(), scratch.phi.end(), 0.0);
            for (const auto& [group, paths] : trees_) {
                paths.Decide(scratch.values.data(), slots_.size(), scratch.went_right.data());
                kernels::WalkShap(paths.View(RuleOf(paths.num_points())), scratch.went_right.data(), scratch.walk,
                                  scratch.flags.data(), scratch.aligned_phi + group * slots_.size() * kShapRows);
            }
            for (std::size_t row = 0; row < count; ++row) {
                float* out = contributions.data() + (first + row) * contributions_per_row();
                for (std::size_t group = 0; group < base_margins_.size(); ++group, out += num_feature_ + 1) {
                    for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
                        std::size_t place = (group * slots_.size() + slot) * kShapRows + row;
                        out[slots_[slot]] = static_cast<float>(scratch.aligned_phi[place]);
                    }
                    out[num_feature_] = static_cast<float>(mean_[group]);
                }
            }
        }
    }

    void Interactions(const data::FeatureRows& rows, std::span<float> interactions) const override {
        std::size_t width = num_feature_ + 1;
        CHECK(interactions.size() == rows.num_rows() * contributions_per_row() * width);
        std::fill(interactions.begin(), interactions.end(), 0.0F);
        std::vector<float> contributions(rows.num_rows() * contributions_per_row());
        Contributions(rows, contributions);
        Scratch scratch(*this);
        for (std::size_t first = 0; first < rows.num_rows(); first += kShapRows) {
            std::size_t count = std::min(kShapRows, rows.num_rows() - first);
            scratch.Fill(rows, first, count);
            for (const auto& [group, paths] : trees_) {
                paths.Decide(scratch.values.data(), slots_.size(), scratch.went_right.data());
                AddPairs(paths, scratch, count,
                         interactions.data() + (first * base_margins_.size() + group) * width * width);
            }
        }
        for (std::size_t i = 0; i < contributions.size() / width; ++i) {
            SetDiagonal(contributions.data() + i * width, interactions.data() + i * width * width);
        }
    }

  private:
    struct Scratch {
        explicit Scratch(const TreeExplainer& explainer)
            : owner(explainer),
              values(kShapRows * explainer.slots_.size()),
              went_right(explainer.splits_max_),
              flags(explainer.deepest_ + 1),
              phi(explainer.base_margins_.size() * explainer.slots_.size() * kShapRows + kShapRows),
              room(kernels::ShapScratch(explainer.deepest_, (explainer.deepest_ + 1) / 2) + kShapRows),
              aligned_phi(Align(phi)),
              walk(Align(room)) {}

        static double* Align(std::vector<double>& numbers) {
            auto address = reinterpret_cast<std::uintptr_t>(numbers.data());
            return reinterpret_cast<double*>((address + 63) / 64 * 64);
        }

        void Fill(const data::FeatureRows& rows, std::size_t first, std::size_t count) {
            std::fill(values.begin(), values.end(), std::numeric_limits<float>::quiet_NaN());
            const std::vector<std::uint32_t>& slots = owner.slots_;
            for (std::size_t row = 0; row < count; ++row) {
                // Both lists rise.
                std::size_t slot = 0;
                for (std::uint64_t e = rows.row_offsets[first + row]; e < rows.row_offsets[first + row + 1]; ++e) {
                    while (slot < slots.size() && slots[slot] < rows.feature_idx[e]) ++slot;
                    if (slot == slots.size()) break;
                    if (slots[slot] == rows.feature_idx[e]) values[row * slots.size() + slot] = rows.values[e];
                }
            }
        }

        const TreeExplainer& owner;
        std::vector<float> values;
        std::vector<std::uint8_t> went_right;
        std::vector<std::uint8_t> flags;
        std::vector<double> phi;
        std::vector<double> room;
        double* aligned_phi;
        double* walk;
    };

    const QuadratureRule& RuleOf(std::size_t num_points) {
        return rules_.try_emplace(num_points, num_points).first->second;
    }
    const QuadratureRule& RuleOf(std::size_t num_points) const { return rules_.at(num_points); }

    // Each leaf adds to each pair of the features on its path. out: the group's matrix of the first row.
    void AddPairs(const ShapPaths& paths, Scratch& scratch, std::size_t count, float* out) const {
        const QuadratureRule& rule = RuleOf(paths.num_points());
        std::span<const kernels::ShapEdge> edges = paths.edges();
        std::vector<std::int32_t> at_depth(paths.depth() + 1);
        for (std::int32_t event : paths.events()) {
            if (event < 0) continue;
            const kernels::ShapEdge& edge = edges[static_cast<std::size_t>(event)];
            auto depth = static_cast<std::size_t>(edge.depth);
            at_depth[depth] = event;
            std::uint8_t side = scratch.went_right[static_cast<std::size_t>(edge.split)];
            std::uint8_t above =
                edge.ancestor < 0
                    ? std::uint8_t{0xFF}
                    : scratch.flags[static_cast<std::size_t>(edges[static_cast<std::size_t>(edge.ancestor)].depth)];
            scratch.flags[depth] = above & (edge.right ? side : static_cast<std::uint8_t>(~side));
            if (!edge.leaf) continue;
            std::vector<PathFeature> path = FeaturesOf(paths, at_depth, depth);
            for (std::size_t row = 0; row < count; ++row) {
                AddLeafPairs(edges, path, scratch.flags, row, edge.value, rule,
                             out + row * base_margins_.size() * (num_feature_ + 1) * (num_feature_ + 1));
            }
        }
    }

    static std::vector<PathFeature> FeaturesOf(const ShapPaths& paths, const std::vector<std::int32_t>& at_depth,
                                               std::size_t depth) {
        std::vector<PathFeature> path;
        std::vector<bool> replaced(depth + 1, false);
        for (std::size_t d = depth; d > 0; --d) {
            const kernels::ShapEdge& edge = paths.edges()[static_cast<std::size_t>(at_depth[d])];
            if (edge.ancestor >= 0) {
                replaced[static_cast<std::size_t>(paths.edges()[static_cast<std::size_t>(edge.ancestor)].depth)] = true;
            }
            if (!replaced[d]) path.push_back({at_depth[d], paths.share_of_feature(at_depth[d]), d});
        }
        return path;
    }

    void AddLeafPairs(std::span<const kernels::ShapEdge> edges, const std::vector<PathFeature>& path,
                      const std::vector<std::uint8_t>& flags, std::size_t row, double value, const QuadratureRule& rule,
                      float* out) const {
        std::vector<double> products(rule.points.size());
        std::vector<double> factors(path.size() * rule.points.size());
        for (std::size_t q = 0; q < rule.points.size(); ++q) {
            double t = rule.points[q];
            products[q] = value * rule.weights[q];
            for (std::size_t i = 0; i < path.size(); ++i) {
                bool on = ((flags[path[i].depth] >> row) & 1U) != 0;
                double f = (1 - t) * path[i].share + (on ? t : 0);
                products[q] *= f;
                factors[i * rule.points.size() + q] = on ? (1 - path[i].share) / f : rule.outside[q];
            }
        }
        std::size_t width = num_feature_ + 1;
        for (std::size_t i = 0; i < path.size(); ++i) {
            for (std::size_t j = 0; j < i; ++j) {
                double sum = 0;
                for (std::size_t q = 0; q < rule.points.size(); ++q) {
                    sum += products[q] * factors[i * rule.points.size() + q] * factors[j * rule.points.size() + q];
                }
                std::size_t a = slots_[static_cast<std::size_t>(edges[static_cast<std::size_t>(path[i].edge)].slot)];
                std::size_t b = slots_[static_cast<std::size_t>(edges[static_cast<std::size_t>(path[j].edge)].slot)];
                auto half = static_cast<float>(sum / 2);
                out[a * width + b] += half;
                out[b * width + a] += half;
            }
        }
    }

    void SetDiagonal(const float* contributions, float* matrix) const {
        std::size_t width = num_feature_ + 1;
        for (std::size_t i = 0; i < width; ++i) {
            auto rest = static_cast<double>(contributions[i]);
            for (std::size_t j = 0; j < width; ++j) rest -= static_cast<double>(matrix[i * width + j]);
            matrix[i * width + i] = static_cast<float>(rest);
        }
    }

    std::vector<float> base_margins_;
    std::size_t num_feature_;
    std::vector<double> mean_;          // [groups]
    std::vector<std::uint32_t> slots_;  // features that splits use, rising
    std::map<std::size_t, QuadratureRule> rules_;
    std::vector<std::pair<std::size_t, ShapPaths>> trees_;  // group and paths
    std::size_t deepest_ = 0;
    std::size_t splits_max_ = 0;
};

}  // namespace

Result<std::shared_ptr<const Explainer>> Explainer::Create(const TreeEnsemble& ensemble) {
    std::vector<float> base_margins = TRY(BaseMargins(ensemble));
    if (ensemble.booster == Booster::kGblinear) {
        return std::shared_ptr<const Explainer>(std::make_shared<LinearExplainer>(ensemble, std::move(base_margins)));
    }
    auto explainer = std::make_shared<TreeExplainer>(ensemble, std::move(base_margins));
    TRY(explainer->AddTrees(ensemble));
    return std::shared_ptr<const Explainer>(std::move(explainer));
}

}  // namespace espalier::model
