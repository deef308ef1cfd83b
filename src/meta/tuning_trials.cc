#include "meta/tuning_trials.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include <charconv>
#include <string_view>

#include "base/check.h"
#include "meta/job_list.h"

namespace espalier::meta {
namespace {

constexpr std::string_view kColumns =
    "tuning_id, number, job_name, definition_idx, hyperparameters, created_at, status, failure_reason, has_objective, "
    "objective, started_at, ended_at";

TuningTrial FromRow(const soci::row& row) {
    TuningTrial trial;
    std::size_t column = 0;
    const auto text = [&] { return row.get<std::string>(column++); };
    const auto integer = [&] { return static_cast<std::int64_t>(row.get<long long>(column++)); };
    trial.tuning_id = integer();
    trial.number = integer();
    trial.job_name = text();
    trial.definition_idx = integer();
    trial.values = text();
    trial.created_at = integer();
    trial.status = JobStatusOf(text()).value_or(JobStatus::kFailed);
    trial.failure_reason = text();
    const bool has_objective = integer() != 0;
    const double objective = row.get<double>(column++);
    if (has_objective) trial.objective = objective;
    trial.started_at = integer();
    trial.ended_at = integer();
    return trial;
}

std::string_view ColumnOf(TrialSort sort) {
    switch (sort) {
        case TrialSort::kName:
            return "job_name";
        case TrialSort::kCreationTime:
            return "created_at";
        case TrialSort::kStatus:
            return "status";
        case TrialSort::kObjective:
            return "objective";
    }
    CHECK(false, "trial sort {}", static_cast<int>(sort));
    return "";
}

JobCursor CursorOf(TrialSort sort, const TuningTrial& trial) {
    JobCursor cursor = {.key = trial.job_name, .id = trial.number};
    if (sort == TrialSort::kCreationTime) cursor.key = std::to_string(trial.created_at);
    if (sort == TrialSort::kStatus) cursor.key = std::string(ToString(trial.status));
    if (sort == TrialSort::kObjective) cursor.key = fmt::format("{}", trial.objective.value_or(0));
    return cursor;
}

template <typename Number>
Result<Number> NumberOf(const std::string& key) {
    Number number = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), number);
    if (error != std::errc() || end != key.data() + key.size())
        return Error(ErrorCode::kInvalidArgument, "the cursor is none of this list");
    return number;
}

Result<void> AddCursor(Conditions& conditions, const TrialQuery& query) {
    conditions.text += fmt::format(" AND ({}, number) {} (:cursor_key, :cursor_id)", ColumnOf(query.sort),
                                   query.descending ? "<" : ">");
    const std::string& key = query.after->key;
    if (query.sort == TrialSort::kObjective) {
        conditions.reals.emplace_back("cursor_key", TRY(NumberOf<double>(key)));
    } else if (query.sort == TrialSort::kCreationTime) {
        conditions.integers.emplace_back("cursor_key", TRY(NumberOf<long long>(key)));
    } else {
        conditions.texts.emplace_back("cursor_key", key);
    }
    conditions.integers.emplace_back("cursor_id", query.after->id);
    return {};
}

}  // namespace

Result<void> TuningTrials::Insert(const TuningTrial& trial) {
    const std::string status(ToString(trial.status));
    return database_.Write([&](soci::session& sql) -> Result<void> {
        sql << "INSERT INTO tuning_trials (tuning_id, number, job_name, definition_idx, hyperparameters, created_at, "
               "status, failure_reason, has_objective, objective, started_at, ended_at) VALUES (:id, :number, :name, "
               ":definition, :parameters, :created, :status, '', 0, 0.0, 0, 0)",
            soci::use(trial.tuning_id, "id"), soci::use(trial.number, "number"), soci::use(trial.job_name, "name"),
            soci::use(trial.definition_idx, "definition"), soci::use(trial.values, "parameters"),
            soci::use(trial.created_at, "created"), soci::use(status, "status");
        return {};
    });
}

Result<void> TuningTrials::Update(const TuningTrial& trial) {
    const std::string status(ToString(trial.status));
    const int has_objective = trial.objective ? 1 : 0;
    const double objective = trial.objective.value_or(0);
    return database_.Write([&](soci::session& sql) -> Result<void> {
        sql << "UPDATE tuning_trials SET status = :status, failure_reason = :reason, has_objective = :has, objective = "
               ":objective, started_at = :started, ended_at = :ended WHERE tuning_id = :id AND number = :number",
            soci::use(status, "status"), soci::use(trial.failure_reason, "reason"), soci::use(has_objective, "has"),
            soci::use(objective, "objective"), soci::use(trial.started_at, "started"),
            soci::use(trial.ended_at, "ended"), soci::use(trial.tuning_id, "id"), soci::use(trial.number, "number");
        return {};
    });
}

Result<std::vector<TuningTrial>> TuningTrials::All(std::int64_t tuning_id) {
    std::vector<TuningTrial> trials;
    Conditions values = {.text = "", .integers = {{"id", tuning_id}}};
    TRY(ReadRows(database_, fmt::format("SELECT {} FROM tuning_trials WHERE tuning_id = :id ORDER BY number", kColumns),
                 values, [&](const soci::row& row) { trials.push_back(FromRow(row)); }));
    return trials;
}

Result<TuningTrial> TuningTrials::Find(std::int64_t tuning_id, std::int64_t number) {
    std::optional<TuningTrial> found;
    Conditions values = {.text = "", .integers = {{"id", tuning_id}, {"number", number}}};
    TRY(ReadRows(database_,
                 fmt::format("SELECT {} FROM tuning_trials WHERE tuning_id = :id AND number = :number", kColumns),
                 values, [&](const soci::row& row) { found = FromRow(row); }));
    if (!found) return Error(ErrorCode::kNotFound, fmt::format("there is no trial {}", number));
    return *found;
}

Result<std::optional<TuningTrial>> TuningTrials::Best(std::int64_t tuning_id, bool greatest) {
    std::optional<TuningTrial> best;
    Conditions values = {.text = "", .integers = {{"id", tuning_id}}};
    TRY(ReadRows(database_,
                 fmt::format("SELECT {} FROM tuning_trials WHERE tuning_id = :id AND has_objective = 1 ORDER BY "
                             "objective {}, number LIMIT 1",
                             kColumns, greatest ? "DESC" : "ASC"),
                 values, [&](const soci::row& row) { best = FromRow(row); }));
    return best;
}

Result<TrialCounts> TuningTrials::Counts(std::int64_t tuning_id) {
    TrialCounts counts;
    Conditions values = {.text = "", .integers = {{"id", tuning_id}}};
    TRY(ReadRows(database_,
                 "SELECT status, has_objective, CAST(count(*) AS TEXT) FROM tuning_trials WHERE tuning_id = :id GROUP "
                 "BY status, "
                 "has_objective",
                 values, [&](const soci::row& row) {
                     const JobStatus status = JobStatusOf(row.get<std::string>(0)).value_or(JobStatus::kFailed);
                     const std::int64_t count = std::stoll(row.get<std::string>(2));
                     if (status == JobStatus::kCompleted) counts.completed += count;
                     if (status == JobStatus::kFailed) counts.failed += count;
                     if (status == JobStatus::kStopped) counts.stopped += count;
                     if (!IsTerminal(status)) {
                         counts.in_progress += count;
                     } else {
                         (row.get<long long>(1) != 0 ? counts.with_objective : counts.ended_without) += count;
                     }
                 }));
    return counts;
}

Result<JobPage<TuningTrial>> TuningTrials::List(const TrialQuery& query) {
    Conditions conditions = {.text = "tuning_id = :id", .integers = {{"id", query.tuning_id}}};
    if (query.status) {
        conditions.text += " AND status = :status";
        conditions.texts.emplace_back("status", std::string(ToString(*query.status)));
    }
    if (query.sort == TrialSort::kObjective) conditions.text += " AND has_objective = 1";
    if (query.after) TRY(AddCursor(conditions, query));
    const std::string_view direction = query.descending ? "DESC" : "ASC";
    JobPage<TuningTrial> page;
    TRY(ReadRows(database_,
                 fmt::format("SELECT {} FROM tuning_trials WHERE {} ORDER BY {} {}, number {} LIMIT {}", kColumns,
                             conditions.text, ColumnOf(query.sort), direction, direction, query.limit + 1),
                 conditions, [&](const soci::row& row) { page.jobs.push_back(FromRow(row)); }));
    if (page.jobs.size() > query.limit) {
        page.jobs.resize(query.limit);
        page.next = CursorOf(query.sort, page.jobs.back());
    }
    return page;
}

}  // namespace espalier::meta
