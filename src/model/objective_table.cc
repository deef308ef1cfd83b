#include "model/objective_table.h"

namespace espalier::model {
namespace {

using Params = std::vector<std::pair<std::string_view, std::string_view>>;

const Params& LambdarankParams() {
    static const Params params = {{"lambdarank_bias_norm", "1"},
                                  {"lambdarank_normalization", "1"},
                                  {"lambdarank_num_pair_per_sample", "4294967295"},
                                  {"lambdarank_pair_method", "topk"},
                                  {"lambdarank_score_normalization", "1"},
                                  {"lambdarank_unbiased", "0"},
                                  {"ndcg_exp_gain", "1"}};
    return params;
}

const std::vector<ObjectiveInfo>& Table() {
    static const Params scale = {{"scale_pos_weight", "1"}};
    static const std::vector<ObjectiveInfo> table = {
        {"binary:hinge", Link::kHinge, "", {}},
        {"binary:logistic", Link::kSigmoid, "reg_loss_param", scale},
        {"binary:logitraw", Link::kIdentity, "reg_loss_param", scale},
        {"count:poisson", Link::kExp, "poisson_regression_param", {{"max_delta_step", "0.699999988"}}},
        {"multi:softmax", Link::kArgmax, "softmax_multiclass_param", {{"num_class", "0"}}},
        {"multi:softprob", Link::kSoftmax, "softmax_multiclass_param", {{"num_class", "0"}}},
        {"rank:map", Link::kIdentity, "lambdarank_param", LambdarankParams()},
        {"rank:ndcg", Link::kIdentity, "lambdarank_param", LambdarankParams()},
        {"rank:pairwise", Link::kIdentity, "lambdarank_param", LambdarankParams()},
        {"reg:absoluteerror", Link::kIdentity, "", {}},
        {"reg:gamma", Link::kExp, "reg_loss_param", scale},
        {"reg:linear", Link::kIdentity, "reg_loss_param", scale},
        {"reg:logistic", Link::kSigmoid, "reg_loss_param", scale},
        {"reg:pseudohubererror", Link::kIdentity, "pseudo_huber_param", {{"huber_slope", "1"}}},
        {"reg:quantileerror", Link::kIdentity, "quantile_loss_param", {{"quantile_alpha", "[0.5]"}}},
        {"reg:squarederror", Link::kIdentity, "reg_loss_param", scale},
        {"reg:squaredlogerror", Link::kIdentity, "", {}},
        {"reg:tweedie", Link::kExp, "tweedie_regression_param", {{"tweedie_variance_power", "1.5"}}},
        {"survival:aft",
         Link::kExp,
         "aft_loss_param",
         {{"aft_loss_distribution", "normal"}, {"aft_loss_distribution_scale", "1"}}},
        {"survival:cox", Link::kExp, "", {}},
    };
    return table;
}

}  // namespace

std::span<const ObjectiveInfo> AllObjectives() {
    return Table();
}

const ObjectiveInfo* FindObjective(std::string_view name) {
    for (const ObjectiveInfo& objective : Table()) {
        if (objective.name == name) return &objective;
    }
    return nullptr;
}

}  // namespace espalier::model
