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

Result<std::vector<StartValues>> PredictStart(const TrainParams& params, const model::TreeEnsemble& start,
                                              const std::vector<DataSet>& data_sets) {
    TRY(CheckFits(params, start));
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
