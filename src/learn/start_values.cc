#include "learn/start_values.h"

#include <fmt/format.h>

#include <span>

#include "data/compact_rows.h"
#include "model/predictor.h"

namespace espalier::learn {

namespace {

std::string_view NameOf(model::Booster booster) {
    switch (booster) {
        case model::Booster::kDart:
            return "dart";
        case model::Booster::kGblinear:
            return "gblinear";
        default:
            return "gbtree";
    }
}

Result<void> CheckFits(const TrainParams& params, const model::TreeEnsemble& start) {
    // A model of gbtree is one of dart whose trees all weigh 1.
    const bool grows = start.booster == model::Booster::kGbtree && params.booster == model::Booster::kDart;
    if (start.booster != params.booster && !grows) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("the model to go on from was trained with booster '{0}': set booster to '{0}'",
                                 NameOf(start.booster)));
    }
    if (start.num_groups() != static_cast<std::size_t>(params.num_groups())) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("the model to go on from gives {} values per row, this training {}: objective and "
                                 "num_class must be those it was trained with",
                                 start.num_groups(), params.num_groups()));
    }
    return {};
}

/// Stock says so when it runs out of trees; here it is known before.
Result<void> CheckUpdated(const TrainParams& params, const model::TreeEnsemble& updated) {
    const auto trees_per_round = static_cast<std::size_t>(params.trees_per_round());
    for (std::size_t tree = 0; tree < updated.trees.size(); ++tree) {
        const std::size_t group = tree % trees_per_round / static_cast<std::size_t>(params.num_parallel_tree);
        if (updated.tree_info[tree] == static_cast<std::int32_t>(group) && !updated.trees[tree].has_leaf_vectors()) {
            continue;
        }
        return Error(ErrorCode::kInvalidArgument,
                     updated.trees[tree].has_leaf_vectors()
                         ? "process_type 'update' is not implemented for trees with vector leaves "
                           "(multi_strategy=multi_output_tree), as in stock XGBoost."
                         : "process_type 'update' needs a model whose rounds have a tree for each class.");
    }
    const std::size_t num_rounds = updated.trees.size() / trees_per_round;
    if (static_cast<std::size_t>(params.num_rounds) <= num_rounds) return {};
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("No more tree left for updating.  For updating existing trees, boosting rounds can not "
                             "exceed previous training rounds: the model has {} rounds, num_round is {}.",
                             num_rounds, params.num_rounds));
}

/// [rows x groups]. Block by block: as floats the rows of a whole set may be more than the memory.
std::vector<float> PredictRows(const model::Predictor& predictor, const data::CompactRows& rows,
                               std::size_t num_groups) {
    std::vector<float> margins(rows.num_rows() * num_groups);
    data::BlockDecoder decoder;
    data::FeatureRows block_rows;
    for (std::size_t block = 0; block < rows.num_blocks(); ++block) {
        block_rows.Clear();
        data::ExpandBlock(rows, block, decoder, block_rows);
        predictor.PredictMargins(block_rows, std::span(margins).subspan(num_groups * rows.first_row(block),
                                                                        num_groups * block_rows.num_rows()));
    }
    return margins;
}

/// A model whose margin is the leaf of one tree.
model::TreeEnsemble Alone(const model::TreeEnsemble& whole, std::size_t tree) {
    model::TreeEnsemble single;
    single.num_feature = whole.num_feature;
    single.base_score = {0.0F};
    single.trees = {whole.trees[tree]};
    single.tree_info = {0};
    single.iteration_indptr = {0, 1};
    return single;
}

}  // namespace

Result<TrainParams> FitToStart(const TrainParams& params, const TrainingStart* start) {
    TrainParams fitted = params;
    if (start == nullptr && !params.updates()) return fitted;
    if (start == nullptr || (params.updates() && !start->updated.has_value())) {
        return Error(ErrorCode::kInvalidArgument,
                     "No more tree left for updating.  For updating existing trees, boosting rounds can not exceed "
                     "previous training rounds: process_type 'update' needs a model to update, in the channel 'model' "
                     "(espalier train: --start-model).");
    }
    const model::TreeEnsemble& model = start->updated.has_value() ? *start->updated : start->model;
    TRY(CheckFits(params, model));
    if (params.num_parallel_tree != 1 && params.num_parallel_tree != model.num_parallel_tree) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("the model to go on from has {0} trees per round and class: set num_parallel_tree to "
                                 "{0}, or leave it out",
                                 model.num_parallel_tree));
    }
    fitted.num_parallel_tree = model.num_parallel_tree;
    if (params.updates()) TRY(CheckUpdated(fitted, model));
    return fitted;
}

Result<std::vector<StartValues>> PredictStart(const TrainParams& params, const model::TreeEnsemble& start,
                                              const std::vector<DataSet>& data_sets) {
    const auto num_groups = static_cast<std::size_t>(params.num_groups());
    std::vector<StartValues> all(data_sets.size());
    const auto predictor = TRY(model::Predictor::Create(start));
    for (std::size_t set = 0; set < data_sets.size(); ++set) {
        const std::size_t num_rows = data_sets[set].labeled.rows.num_rows();
        const std::vector<float> by_row = PredictRows(*predictor, data_sets[set].labeled.rows, num_groups);
        all[set].margins.resize(by_row.size());
        for (std::size_t row = 0; row < num_rows; ++row) {
            for (std::size_t group = 0; group < num_groups; ++group) {
                all[set].margins[group * num_rows + row] = by_row[row * num_groups + group];
            }
        }
    }
    if (params.booster != model::Booster::kDart) return all;
    for (std::size_t tree = 0; tree < start.trees.size(); ++tree) {
        const auto leaf_of = TRY(model::Predictor::Create(Alone(start, tree)));
        for (std::size_t set = 0; set < data_sets.size(); ++set) {
            all[set].leaf_values.push_back(PredictRows(*leaf_of, data_sets[set].labeled.rows, 1));
        }
    }
    return all;
}

}  // namespace espalier::learn
