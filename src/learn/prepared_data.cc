#include "learn/prepared_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>

#include "base/check.h"
#include "data/bin_plan.h"
#include "data/value_summaries.h"
#include "learn/summary_exchange.h"

namespace espalier::learn {

namespace {

using SteadyClock = std::chrono::steady_clock;

double SecondsSince(SteadyClock::time_point begin) {
    return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

/// What all ranks' rows have in common.
struct Shape {
    std::size_t num_features = 0;
    std::vector<std::uint64_t> total_rows;  ///< [data sets]
    float greatest_weight = 0;              ///< 0: no rank has weights
};

Result<Shape> AgreeOnShape(const std::vector<DataSet>& data_sets, collective::Comm& comm) {
    std::vector<std::int64_t> features;
    std::vector<std::int64_t> rows;
    std::int64_t greatest_weight_bits = 0;
    for (const DataSet& set : data_sets) {
        features.push_back(set.labeled.rows.num_features);
        rows.push_back(static_cast<std::int64_t>(set.labeled.labels.size()));
    }
    const std::vector<float>& weights = data_sets[0].labeled.weights;
    // The bits of floats that are not negative are ordered as the floats.
    for (const float weight : weights) {
        greatest_weight_bits = std::max<std::int64_t>(greatest_weight_bits, std::bit_cast<std::int32_t>(weight));
    }
    features.push_back(greatest_weight_bits);
    TRY(comm.AllReduceMax(std::span<std::int64_t>(features)));
    TRY(comm.AllReduceSum(rows));
    Shape shape;
    shape.greatest_weight = std::bit_cast<float>(static_cast<std::int32_t>(features.back()));
    shape.total_rows.assign(rows.begin(), rows.end());
    if (rows[0] == 0) return Error(ErrorCode::kInvalidArgument, "there are no rows of training data");
    shape.num_features = static_cast<std::size_t>(features[0]);
    for (std::size_t set = 1; set < data_sets.size(); ++set) {
        if (features[set] <= features[0]) continue;
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("Feature names/Number of features mismatched between training and validation input. "
                                 "Please check features in training and validation data. The {} data has feature "
                                 "indices up to {}, the training data only up to {}.",
                                 data_sets[set].name, features[set] - 1, features[0] - 1));
    }
    return shape;
}

/// What rows count for cut points, as integers of one unit for all ranks, so that sums do not depend on sharding;
/// empty: 1 each. `squared`: their weights' squares, as stock's approx has it, which weighs by hessians that hold the
/// weight.
std::vector<std::int64_t> WeightUnits(const Shape& shape, const std::vector<float>& weights, std::size_t num_rows,
                                      bool squared) {
    if (shape.greatest_weight == 0) return {};
    int magnitude = 0;
    std::frexp(shape.greatest_weight, &magnitude);
    if (squared) magnitude *= 2;
    const int exponent = 61 - static_cast<int>(std::bit_width(shape.total_rows[0])) - magnitude;
    std::vector<std::int64_t> units(num_rows);
    for (std::size_t r = 0; r < num_rows; ++r) {
        const double weight = weights.empty() ? 1.0 : static_cast<double>(weights[r]);
        units[r] = static_cast<std::int64_t>(std::ldexp(squared ? weight * weight : weight, exponent) + 0.5);
    }
    return units;
}

/// A query is a run of rows with one qid.
std::vector<std::uint32_t> QueryBegins(const std::vector<std::uint64_t>& query_ids) {
    std::vector<std::uint32_t> begins;
    for (std::size_t row = 0; row < query_ids.size(); ++row) {
        if (row == 0 || query_ids[row] != query_ids[row - 1]) begins.push_back(static_cast<std::uint32_t>(row));
    }
    if (!begins.empty()) begins.push_back(static_cast<std::uint32_t>(query_ids.size()));
    return begins;
}

/// The first row whose weight is not that of the row before it in its query.
BadRow OddWeight(const data::TrainingRows& rows, std::size_t set) {
    for (std::size_t row = 1; row < rows.weights.size() && row < rows.query_ids.size(); ++row) {
        if (rows.query_ids[row] != rows.query_ids[row - 1] || rows.weights[row] == rows.weights[row - 1]) continue;
        return {
            set, row, rows.labels[row], true,
            fmt::format("weight {} differs from the {} that the query begins with. When ranking, a weight counts for "
                        "a whole query: give all rows of a qid the same one.",
                        rows.weights[row], rows.weights[row - 1])};
    }
    return {};
}

/// Which features are categorical, on any rank; empty when none is.
Result<std::vector<std::uint8_t>> AgreeOnCategorical(std::span<const data::FeatureType> types, std::size_t num_features,
                                                     collective::Comm& comm) {
    std::vector<std::int64_t> any = {std::count(types.begin(), types.end(), data::FeatureType::kCategorical)};
    TRY(comm.AllReduceMax(std::span<std::int64_t>(any)));
    if (any[0] == 0) return std::vector<std::uint8_t>();
    std::vector<std::int64_t> flags(num_features, 0);
    for (std::size_t feature = 0; feature < std::min(num_features, types.size()); ++feature) {
        flags[feature] = types[feature] == data::FeatureType::kCategorical ? 1 : 0;
    }
    TRY(comm.AllReduceMax(std::span<std::int64_t>(flags)));
    return std::vector<std::uint8_t>(flags.begin(), flags.end());
}

/// Training rows must hold numbers of categories only.
Result<void> CheckCategories(const TrainParams& params, std::span<const std::uint8_t> categorical,
                             std::span<const data::ValueSummary> summaries) {
    if (!categorical.empty() && params.vector_leaves) {
        return Error(ErrorCode::kInvalidArgument,
                     "Categorical features support for multi-target tree is not yet implemented: use multi_strategy "
                     "'one_output_per_tree'.");
    }
    if (!categorical.empty() && params.tree_method == TreeMethod::kExact) {
        return Error(ErrorCode::kInvalidArgument,
                     "Updater `grow_colmaker` or `exact` tree method doesn't support categorical features: use "
                     "tree_method 'hist' or 'approx'.");
    }
    for (std::size_t feature = 0; feature < categorical.size(); ++feature) {
        const std::vector<float>& values = summaries[feature].values;
        if (categorical[feature] == 0 || values.empty()) continue;
        if (values.front() >= 0 && values.back() < static_cast<float>(data::kMaxBinLimit)) continue;
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("Invalid categorical value detected in feature {}: {}. Categories are numbered from 0 "
                                 "on, and this build trains on numbers below {}.",
                                 feature, values.front() < 0 ? values.front() : values.back(), data::kMaxBinLimit));
    }
    return {};
}

/// Hessians of these objectives are the rows' weights, whatever the margins.
bool HasConstantHessian(std::string_view objective) {
    return objective == "reg:squarederror" || objective == "reg:linear" || objective == "reg:absoluteerror" ||
           objective == "reg:quantileerror";
}

/// approx: cuts change from tree to tree only if hessians do.
/// exact: a cell for each distinct value pays as long as the cells are few; the trees are the same either way.
data::Cutting CuttingOf(const TrainParams& params, std::span<const data::ValueSummary> summaries) {
    std::size_t most = 0;
    std::size_t total = 0;
    for (const data::ValueSummary& summary : summaries) {
        most = std::max(most, summary.values.size());
        total += summary.values.size();
    }
    switch (params.tree_method) {
        case TreeMethod::kApprox:
            return HasConstantHessian(params.objective) ? data::Cutting::kOnce : data::Cutting::kPerTree;
        case TreeMethod::kExact:
            return most > data::kMaxBinLimit || total > params.exact_cells_max ? data::Cutting::kNever
                                                                               : data::Cutting::kOnce;
        default:
            return data::Cutting::kOnce;
    }
}

/// Cut points from the values of all ranks, or the decision to make none.
Result<void> AgreeOnCuts(const TrainParams& params, const data::TrainingRows& train, const Shape& shape,
                         WorkerTeam& team, collective::Comm& comm, PreparedData& prepared) {
    const std::vector<std::int64_t> weight_units =
        WeightUnits(shape, train.weights, train.rows.num_rows(), params.tree_method == TreeMethod::kApprox);
    prepared.categorical = TRY(AgreeOnCategorical(train.feature_types, shape.num_features, comm));
    if (comm.size() == 1 && prepared.categorical.empty() && params.tree_method != TreeMethod::kExact) {
        prepared.cutting = CuttingOf(params, {});
        if (prepared.cutting == data::Cutting::kOnce) {
            prepared.layout = data::PlanBins(train.rows, weight_units, shape.num_features, params.max_bin, team);
        }
        return {};
    }
    std::vector<data::ValueSummary> summaries =
        data::SummarizeValues(train.rows, weight_units, shape.num_features, team);
    TRY(MergeOverRanks(summaries, comm));
    TRY(CheckCategories(params, prepared.categorical, summaries));
    prepared.cutting = CuttingOf(params, summaries);
    if (prepared.cutting != data::Cutting::kOnce) return {};
    const int max_bin = params.tree_method == TreeMethod::kExact ? data::kMaxBinLimit : params.max_bin;
    prepared.layout =
        data::BinLayout::Create(summaries, data::BuildCutPoints(summaries, max_bin, team, prepared.categorical),
                                shape.total_rows[0], team, comm.size());
    return {};
}

}  // namespace

std::size_t PreparedData::memory_bytes() const {
    std::size_t bytes = 0;
    for (const PreparedSet& set : sets) {
        bytes += set.matrix.memory_bytes() + set.rows.num_entries() * (sizeof(float) + sizeof(std::uint32_t));
    }
    return bytes;
}

Result<void> CheckRows(const Objective& objective, const std::vector<DataSet>& data_sets, collective::Comm& comm,
                       BadRow* bad_row) {
    BadRow bad;
    for (std::size_t set = 0; set < data_sets.size() && bad.problem.empty(); ++set) {
        const data::TrainingRows& rows = data_sets[set].labeled;
        if (!data_sets[set].label_upper_bounds.empty()) continue;  // Whoever read them has compared them.
        const std::size_t row = objective.FirstBadLabel(rows.labels);
        if (row < rows.labels.size()) {
            bad = {set, row, rows.labels[row], false,
                   fmt::format("label {} is out of range: the label {}.", rows.labels[row], objective.LabelRule())};
        } else if (objective.ranks_queries()) {
            bad = OddWeight(rows, set);
        }
    }
    std::vector<std::int64_t> agreed = {bad.problem.empty() ? 0 : 1};
    TRY(comm.AllReduceMax(std::span<std::int64_t>(agreed)));
    if (agreed[0] == 0) return {};
    if (bad.problem.empty()) return Error(ErrorCode::kCancelled, "another instance has a row that cannot be");
    if (bad_row != nullptr) *bad_row = bad;
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("row {} of the {} data: {}", bad.row + 1, data_sets[bad.data_set].name, bad.problem));
}

Result<PreparedData> PrepareData(const TrainParams& params, std::vector<DataSet>& data_sets, WorkerTeam& team,
                                 collective::Comm& comm, const BinOptions& options) {
    const Shape shape = TRY(AgreeOnShape(data_sets, comm));
    if (!params.feature_weights.empty() && params.feature_weights.size() != shape.num_features) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("feature_weights has {} members, the training data {} features: give one per feature",
                                 params.feature_weights.size(), shape.num_features));
    }
    if (params.monotone_constraints.size() > shape.num_features) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("The size of monotone constraint should be less or equal to the number of features: "
                                 "monotone_constraints has {} members, the training data {} features.",
                                 params.monotone_constraints.size(), shape.num_features));
    }
    PreparedData prepared;
    prepared.num_features = shape.num_features;
    const bool bins = params.booster != model::Booster::kGblinear && !params.updates();
    if (params.updates()) prepared.cutting = data::Cutting::kNever;
    auto begin = SteadyClock::now();
    const BinnedJob* made = options.made;
    if (made != nullptr) {
        CHECK(bins && comm.size() == 1 && made->sets.size() == data_sets.size());
        prepared.layout = made->layout;
    } else if (bins) {
        TRY(AgreeOnCuts(params, data_sets[0].labeled, shape, team, comm, prepared));
    }
    prepared.cuts_seconds = SecondsSince(begin);
    begin = SteadyClock::now();
    prepared.greatest_weight = shape.greatest_weight;
    data::ArrayStore store;
    if (options.memory_bytes_max > 0) store = data::ArrayStore(options.scratch_folder, options.memory_bytes_max);
    for (std::size_t i = 0; i < data_sets.size(); ++i) {
        data::TrainingRows& labeled = data_sets[i].labeled;
        PreparedSet& set = prepared.sets.emplace_back();
        // Exact thresholds lie between bins: evaluation rows have to be sent by their values.
        const bool binned =
            bins && prepared.cutting == data::Cutting::kOnce && (i == 0 || params.tree_method != TreeMethod::kExact);
        const auto use = i == 0 ? data::BinnedMatrix::Use::kTraining : data::BinnedMatrix::Use::kEvaluation;
        if (made != nullptr) {
            set.matrix = made->sets[i].matrix;
        } else if (binned) {
            set.matrix = data::BinnedMatrix::Create(std::move(labeled.rows), prepared.layout, use, team, store);
            TRY(store.status());
        } else {
            set.rows = data::Expand(labeled.rows);
        }
        set.name = data_sets[i].name;
        set.labels = std::move(labeled.labels);
        set.weights = std::move(labeled.weights);
        set.label_upper_bounds = std::move(data_sets[i].label_upper_bounds);
        set.query_begins = QueryBegins(labeled.query_ids);
        set.segments = std::move(data_sets[i].segments);
        if (set.segments.empty()) set.segments.push_back({0, 0});
        set.total_rows = shape.total_rows[i];
        labeled = {};
    }
    prepared.scratch_bytes = store.scratch_bytes();
    prepared.bins_seconds = SecondsSince(begin);
    return prepared;
}

}  // namespace espalier::learn
