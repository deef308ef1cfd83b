#include "monitor/data_query.h"

#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "monitor/metric_math.h"

namespace espalier::monitor {
namespace {

using Json = nlohmann::json;
using Queries = std::vector<DataQuery>;

constexpr std::size_t kIdBytesMax = 255;

Error Invalid(const DataQuery& query, std::string_view what) {
    return {ErrorCode::kInvalidArgument, fmt::format("{}: {}.", query.id, what)};
}

Result<MetricStat> ReadStat(const meta::Scope& scope, const Json& stat) {
    const Json& metric = stat.at("Metric");
    Statistic statistic = TRY(Statistic::Parse(stat.at("Stat").get<std::string>()));
    MetricName name{.scope = scope,
                    .name_space = metric.value("Namespace", ""),
                    .name = metric.value("MetricName", ""),
                    .dimensions = {}};
    for (const Json& dimension : metric.value("Dimensions", Json::array())) {
        const std::string key = dimension.at("Name").get<std::string>();
        if (!name.dimensions.emplace(key, dimension.at("Value").get<std::string>()).second)
            return Error(ErrorCode::kInvalidArgument, fmt::format("The dimension {} is given twice.", key));
    }
    return MetricStat{std::move(name), std::move(statistic), stat.value("Unit", "")};
}

Result<DataQuery> ReadQuery(const meta::Scope& scope, const Json& item) {
    DataQuery query{.id = item.at("Id").get<std::string>(),
                    .label = "",
                    .returned = item.value("ReturnData", true),
                    .period_ms = item.value("Period", std::int64_t{0}) * 1000,
                    .what = MathNode()};
    if (query.id.size() > kIdBytesMax || !IsMathId(query.id))
        return Invalid(query, "an Id is a lower-case letter with letters, digits and _ behind it");
    if (item.contains("Expression") == item.contains("MetricStat"))
        return Invalid(query, "either Expression or MetricStat is needed");
    if (item.value("AccountId", scope.account) != scope.account)
        return Invalid(query, "AccountId is not supported: metrics are those of the caller's account");
    if (item.contains("MetricStat")) {
        MetricStat stat = TRY(ReadStat(scope, item["MetricStat"]));
        query.label = item.value("Label", stat.metric.name);
        query.period_ms = item["MetricStat"].at("Period").get<std::int64_t>() * 1000;
        query.what = std::move(stat);
        return query;
    }
    const std::string expression = item["Expression"].get<std::string>();
    if (expression.starts_with("SELECT "))
        return Invalid(query, "Expression is a Metrics Insights query, which is not supported; give metric math");
    query.label = item.value("Label", query.id);
    Result<MathNode> math = ParseMath(expression);
    if (!math) return Invalid(query, math.error().message());
    query.what = std::move(*math);
    return query;
}

/// The positions of the queries an expression speaks of. Ids that are of none are left to the evaluation.
void FindUses(const MathNode& node, const Queries& queries, std::set<std::size_t>& uses) {
    const bool all_metrics = node.kind == MathNode::Kind::kCall && node.text == "METRICS";
    const std::string_view part = all_metrics && !node.parts.empty() ? std::string_view(node.parts[0].text) : "";
    for (std::size_t i = 0; i < queries.size(); ++i) {
        const bool named = node.kind == MathNode::Kind::kId && node.text == queries[i].id;
        const bool among = all_metrics && std::holds_alternative<MetricStat>(queries[i].what) &&
                           queries[i].id.find(part) != std::string::npos;
        if (named || among) uses.insert(i);
    }
    for (const MathNode& each : node.parts) FindUses(each, queries, uses);
}

/// Gives expressions the period of what they use, and all queries an order in which each stands behind what it uses.
class Arrangement {
  public:
    explicit Arrangement(Queries& queries) : queries_(queries), states_(queries.size(), State::kNew) {}

    Result<std::vector<std::size_t>> Make() {
        for (std::size_t i = 0; i < queries_.size(); ++i) TRY(Visit(i));
        return std::move(order_);
    }

  private:
    enum class State { kNew, kOpen, kDone };

    Result<void> Visit(std::size_t index) {
        DataQuery& query = queries_[index];
        if (states_[index] == State::kDone) return {};
        if (states_[index] == State::kOpen) return Invalid(query, "the expression uses itself");
        states_[index] = State::kOpen;
        if (const auto* math = std::get_if<MathNode>(&query.what)) {
            std::set<std::size_t> uses;
            FindUses(*math, queries_, uses);
            for (const std::size_t used : uses) {
                TRY(Visit(used));
                const UnixMillis period = queries_[used].period_ms;
                if (query.period_ms == 0) query.period_ms = period;
                if (query.period_ms != period)
                    return Invalid(query, fmt::format("Periods of {} and {} seconds cannot be used together",
                                                      query.period_ms / 1000, period / 1000));
            }
            if (query.period_ms <= 0) return Invalid(query, "an expression without metrics needs a Period");
        }
        states_[index] = State::kDone;
        order_.push_back(index);
        return {};
    }

    Queries& queries_;
    std::vector<State> states_;
    std::vector<std::size_t> order_;
};

MathGrid GridOf(const DataQuery& query, UnixMillis from, UnixMillis to) {
    const UnixMillis period = query.period_ms;
    const UnixMillis begin = from - ((from % period) + period) % period;
    const UnixMillis size = to > begin ? (to - begin + period - 1) / period : 0;
    return {.from = begin, .period_ms = period, .size = static_cast<std::size_t>(size)};
}

using SeriesReader = std::function<Result<MathSeries>(const DataQuery&, const MathGrid&)>;

void SetLabels(const DataQuery& query, MathValue& value) {
    if (auto* series = std::get_if<MathSeries>(&value)) series->label = query.label;
    if (auto* list = std::get_if<std::vector<MathSeries>>(&value))
        for (MathSeries& series : *list)
            if (!query.label.empty()) series.label = fmt::format("{} {}", query.label, series.label);
}

/// What every query gives, by its id.
Result<std::map<std::string, MathValue>> EvaluateAll(Queries queries, UnixMillis from, UnixMillis to,
                                                     const SeriesReader& read) {
    const std::vector<std::size_t> order = TRY(Arrangement(queries).Make());
    MathInputs inputs;
    for (const DataQuery& query : queries)
        if (std::holds_alternative<MetricStat>(query.what)) inputs.metrics.push_back(query.id);
    for (const std::size_t index : order) {
        const DataQuery& query = queries[index];
        inputs.grid = GridOf(query, from, to);
        if (const auto* math = std::get_if<MathNode>(&query.what)) {
            Result<MathValue> value = EvaluateMath(*math, inputs);
            if (!value) return Invalid(query, value.error().message());
            inputs.values[query.id] = std::move(*value);
        } else {
            inputs.values[query.id] = TRY(read(query, inputs.grid));
        }
        SetLabels(query, inputs.values[query.id]);
    }
    return std::move(inputs.values);
}

DataResult ResultOf(const DataQuery& query, const MathGrid& grid, const MathSeries& series) {
    DataResult result{.id = query.id, .label = series.label, .points = {}};
    for (std::size_t i = 0; i < series.points.size(); ++i)
        if (series.points[i])
            result.points.emplace_back(grid.from + static_cast<UnixMillis>(i) * grid.period_ms, *series.points[i]);
    return result;
}

}  // namespace

Result<Queries> ParseDataQueries(const meta::Scope& scope, const Json& list) {
    Queries queries;
    std::set<std::string> ids;
    for (const Json& item : list) {
        DataQuery query = TRY(ReadQuery(scope, item));
        if (!ids.insert(query.id).second) return Invalid(query, "the Id is given twice");
        queries.push_back(std::move(query));
    }
    TRY(Arrangement(queries).Make());
    // What has a value of the right type without data has one with them.
    for (const DataQuery& query : queries)
        if (query.period_ms <= 0) return Invalid(query, "the Period must be above 0");
    const auto values =
        TRY(EvaluateAll(queries, 0, 1, [](const DataQuery&, const MathGrid& grid) -> Result<MathSeries> {
            return MathSeries{.points = std::vector<std::optional<double>>(grid.size)};
        }));
    for (DataQuery& query : queries)
        query.gives_list = std::holds_alternative<std::vector<MathSeries>>(values.at(query.id));
    return queries;
}

Result<std::vector<DataResult>> ReadData(Metrics& metrics, const Queries& queries, UnixMillis from, UnixMillis to) {
    const auto read = [&](const DataQuery& query, const MathGrid& grid) -> Result<MathSeries> {
        const MetricStat& stat = std::get<MetricStat>(query.what);
        const Periods periods = TRY(metrics.Read(
            {.metric = stat.metric, .unit = stat.unit, .from = grid.from, .to = to, .period_ms = grid.period_ms}));
        MathSeries series{.points = std::vector<std::optional<double>>(grid.size)};
        for (const auto& [begin, values] : periods.by_begin)
            series.points[static_cast<std::size_t>((begin - grid.from) / grid.period_ms)] = stat.statistic.Of(values);
        return series;
    };
    const auto values = TRY(EvaluateAll(queries, from, to, read));
    std::vector<DataResult> results;
    for (const DataQuery& query : queries) {
        if (!query.returned) continue;
        const MathGrid grid = GridOf(query, from, to);
        const MathValue& value = values.at(query.id);
        if (const auto* series = std::get_if<MathSeries>(&value)) results.push_back(ResultOf(query, grid, *series));
        if (const auto* list = std::get_if<std::vector<MathSeries>>(&value))
            for (const MathSeries& series : *list) results.push_back(ResultOf(query, grid, series));
    }
    return results;
}

}  // namespace espalier::monitor
