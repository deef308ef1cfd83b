#include "meta/row_list.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>

#include "meta/arn.h"
#include "meta/job_rows.h"
#include "meta/resources.h"
#include "meta/step_counter.h"
#include "meta/training_jobs.h"

namespace espalier::meta {
namespace {

const Scope kScope = {.account = "123456789012", .region = "us-east-1"};
constexpr std::int64_t kStart = 1'700'000'000'000;
constexpr const char* kStatuses[] = {"Completed", "Failed", "InProgress", "Stopped"};

struct TestRow {
    std::int64_t id = 0;
    std::string name;
    std::string parent;
    std::string status;
    UnixMillis created_at = 0;
    UnixMillis modified_at = 0;
};

/// What all lists are asked here, whatever they call it.
struct Question {
    std::string name_contains = {};
    std::string status = {};
    std::optional<std::string> parent = {};
    bool only_with_parent = false;
    std::optional<UnixMillis> created_after = {};
    std::optional<UnixMillis> created_before = {};
    std::optional<UnixMillis> modified_after = {};
    std::optional<UnixMillis> modified_before = {};
    ListSort sort = ListSort::kCreationTime;
    bool descending = false;
    std::size_t limit = 100;

    std::string Text() const {
        return fmt::format("sort {} {} limit {} name '{}' status '{}' parent '{}' {} created {}..{} modified {}..{}",
                           ColumnOf(sort), descending ? "down" : "up", limit, name_contains, status,
                           parent.value_or("any"), only_with_parent, created_after.value_or(-1),
                           created_before.value_or(-1), modified_after.value_or(-1), modified_before.value_or(-1));
    }
};

struct Page {
    std::vector<std::string> names;
    std::optional<ListCursor> next = {};
};
using Lister = std::function<Page(const Question&, const std::optional<ListCursor>&)>;

struct TableUnderTest {
    const char* name;
    bool is_of_jobs;
    bool has_parents = false;
    bool sorts_by_status = true;
    bool filters_by_modification = true;
};
constexpr TableUnderTest kTables[] = {
    {"training_jobs", true},
    {"transform_jobs", true},
    {"tuning_jobs", true},
    {"endpoints", false},
    {"models", false, false, false, false},
    {"endpoint_configs", false, false, false, false},
    {"model_package_groups", false, false, false, false},
    {"model_packages", false, true, false, false},
    {"model_cards", false, false, false, false},
};

class RowListTest : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = testing::TempDir() + "/row_list_" + std::to_string(getpid());
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
        auto opened = OpenCountingSteps(folder_ + "/meta.db");
        ASSERT_TRUE(opened) << opened.error().ToString();
        database_ = std::move(opened).value();
    }
    void TearDown() override {
        database_.reset();
        std::filesystem::remove_all(folder_);
    }

    void Insert(const TableUnderTest& table, const std::vector<TestRow>& rows) {
        ASSERT_TRUE(database_->Write([&](soci::session& sql) -> Result<void> {
            TestRow row;
            std::string folded;
            soci::statement insert(sql);
            if (table.is_of_jobs) {
                insert.exchange(soci::use(row.id, "id"));
            } else {
                insert.exchange(soci::use(folded, "folded"));
            }
            insert.exchange(soci::use(row.name, "name"));
            insert.exchange(soci::use(row.status, "status"));
            insert.exchange(soci::use(row.created_at, "created"));
            insert.exchange(soci::use(row.modified_at, "modified"));
            insert.alloc();
            insert.prepare(InsertText(table));
            insert.define_and_bind();
            for (const TestRow& next : rows) {
                row = next;
                folded = FoldCase(row.name);
                insert.execute(true);
            }
            return {};
        })) << table.name;
    }
    static std::string InsertText(const TableUnderTest& table) {
        if (!table.is_of_jobs)
            return fmt::format(
                "INSERT INTO {} (account, region, name_folded, name, created_at, modified_at, status, document) VALUES "
                "('123456789012', 'us-east-1', :folded, :name, :created, :modified, :status, '{{}}')",
                table.name);
        const bool training = std::string_view(table.name) == "training_jobs";
        return fmt::format(
            "INSERT INTO {} (id, account, region, name, request, invocation_id, status, failure_reason, created_at, "
            "modified_at, started_at, ended_at, process_token, num_launches, {}) VALUES (:id, '123456789012', "
            "'us-east-1', :name, '{{}}', '', :status, '', :created, :modified, 0, 0, '', 0, {})",
            table.name, training ? "stage, runtime_exceeded" : "detail", training ? "'Training', 0" : "'{}'");
    }
    void Delete(const TableUnderTest& table, const std::string& name) {
        ASSERT_TRUE(database_->Write([&](soci::session& sql) -> Result<void> {
            sql << fmt::format("DELETE FROM {} WHERE name = :name", table.name), soci::use(name);
            return {};
        }));
    }

    /// The list as its users have it: Resources, JobRows or TrainingJobs.
    Lister ListerOf(const TableUnderTest& table) {
        if (!table.is_of_jobs)
            return [this, &table](const auto& question, const auto& after) {
                return ListResources(KindOf(table.name), question, after);
            };
        if (std::string_view(table.name) == "training_jobs")
            return [this](const auto& question, const auto& after) {
                return ListJobs(TrainingJobs(*database_), question, after);
            };
        const JobKind kind = std::string_view(table.name) == "tuning_jobs" ? JobKind::kTuning : JobKind::kTransform;
        return [this, kind](const auto& question, const auto& after) {
            return ListJobs(JobRows(*database_, kind), question, after);
        };
    }
    static ResourceKind KindOf(std::string_view table) {
        for (const ResourceKind kind :
             {ResourceKind::kModel, ResourceKind::kEndpointConfig, ResourceKind::kEndpoint, ResourceKind::kModelPackage,
              ResourceKind::kModelPackageGroup, ResourceKind::kModelCard})
            if (table == (kind == ResourceKind::kModel               ? "models"
                          : kind == ResourceKind::kEndpointConfig    ? "endpoint_configs"
                          : kind == ResourceKind::kEndpoint          ? "endpoints"
                          : kind == ResourceKind::kModelPackage      ? "model_packages"
                          : kind == ResourceKind::kModelPackageGroup ? "model_package_groups"
                                                                     : "model_cards"))
                return kind;
        ADD_FAILURE() << table;
        return ResourceKind::kModel;
    }
    Page ListResources(ResourceKind kind, const Question& question, const std::optional<ListCursor>& after) {
        ListQuery query = {.scope = kScope,
                           .name_contains = question.name_contains,
                           .status = question.status,
                           .parent = question.parent,
                           .only_with_parent = question.only_with_parent,
                           .created_after = question.created_after,
                           .created_before = question.created_before,
                           .modified_after = question.modified_after,
                           .modified_before = question.modified_before,
                           .sort = question.sort,
                           .descending = question.descending,
                           .limit = question.limit,
                           .after = after};
        auto listed = Resources(*database_, kind).List(query);
        EXPECT_TRUE(listed) << listed.error().ToString();
        Page page;
        if (!listed) return page;
        for (const ResourceRecord& row : listed->rows) page.names.push_back(row.name);
        page.next = listed->next;
        return page;
    }
    template <typename Jobs>
    Page ListJobs(Jobs jobs, const Question& question, const std::optional<ListCursor>& after) {
        JobQuery query = {.scope = kScope,
                          .name_contains = question.name_contains,
                          .status = JobStatusOf(question.status),
                          .created_after = question.created_after,
                          .created_before = question.created_before,
                          .modified_after = question.modified_after,
                          .modified_before = question.modified_before,
                          .sort = question.sort,
                          .descending = question.descending,
                          .limit = static_cast<std::uint32_t>(question.limit)};
        if (after) query.after = JobCursor{.key = after->key, .id = std::stoll(after->tie)};
        auto listed = jobs.List(query);
        EXPECT_TRUE(listed) << listed.error().ToString();
        Page page;
        if (!listed) return page;
        for (const auto& job : listed->jobs) page.names.push_back(job.name);
        if (listed->next) page.next = ListCursor{.key = listed->next->key, .tie = std::to_string(listed->next->id)};
        return page;
    }

    std::string folder_;
    std::unique_ptr<Database> database_;
};

std::vector<TestRow> MakeRows(const TableUnderTest& table, int count, int first = 0) {
    std::vector<TestRow> rows;
    for (int i = first; i < first + count; ++i) {
        TestRow row;
        row.id = i + 1;
        row.name = fmt::format("Job-{:05}-{}", (i * 7919) % 100'003, i % 13 == 0 ? "x" : "run");
        if (table.has_parents && i % 4 != 0) {
            row.parent = fmt::format("group{}", i % 3);
            row.name = row.parent + "/" + std::to_string(i);
        }
        row.status = kStatuses[i % 7 == 0 ? 1 : i % 50 == 1 ? 2 : i % 5 == 0 ? 3 : 0];
        row.created_at = kStart + i / 3 * 1000;
        row.modified_at = kStart + (i * 31) % 100'000;
        rows.push_back(std::move(row));
    }
    return rows;
}

bool Matches(const TestRow& row, const Question& question) {
    const auto within = [](UnixMillis time, const auto& after, const auto& before) {
        return (!after || time > *after) && (!before || time < *before);
    };
    return FoldCase(row.name).find(FoldCase(question.name_contains)) != std::string::npos &&
           (question.status.empty() || row.status == question.status) &&
           (!question.parent || row.parent == *question.parent) &&
           (!question.only_with_parent || !row.parent.empty()) &&
           within(row.created_at, question.created_after, question.created_before) &&
           within(row.modified_at, question.modified_after, question.modified_before);
}

std::vector<std::string> Expected(const TableUnderTest& table, std::vector<TestRow> rows, const Question& question) {
    std::erase_if(rows, [&](const TestRow& row) { return !Matches(row, question); });
    const auto key = [&](const TestRow& row) {
        const std::string text = question.sort == ListSort::kName     ? row.name
                                 : question.sort == ListSort::kStatus ? row.status
                                                                      : fmt::format("{:020}", row.created_at);
        return std::pair(text, table.is_of_jobs ? fmt::format("{:020}", row.id) : row.name);
    };
    std::sort(rows.begin(), rows.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
    if (question.descending) std::reverse(rows.begin(), rows.end());
    std::vector<std::string> names;
    for (const TestRow& row : rows) names.push_back(row.name);
    return names;
}

std::vector<std::string> Walk(const Lister& list, const Question& question) {
    std::vector<std::string> names;
    std::optional<ListCursor> after;
    do {
        const Page page = list(question, after);
        EXPECT_LE(page.names.size(), question.limit);
        names.insert(names.end(), page.names.begin(), page.names.end());
        after = page.next;
    } while (after);
    return names;
}

/// Every filter alone and in company.
std::vector<Question> Filters(const TableUnderTest& table) {
    const UnixMillis middle = kStart + 200'000;
    std::vector<Question> filters = {{},
                                     {.name_contains = "b-0"},
                                     {.name_contains = "JOB"},
                                     {.name_contains = "-X"},
                                     {.name_contains = "not there"},
                                     {.created_after = middle},
                                     {.created_before = middle},
                                     {.created_after = middle, .created_before = middle + 30'000},
                                     {.name_contains = "-run", .created_after = middle},
                                     {.status = "Failed"},
                                     {.status = "InProgress", .created_after = middle}};
    if (table.filters_by_modification) {
        filters.push_back({.modified_after = kStart + 50'000});
        filters.push_back({.name_contains = "run", .status = "Failed", .modified_before = kStart + 50'000});
        filters.push_back({.created_after = middle, .modified_after = kStart + 99'000});
    }
    if (table.has_parents) {
        filters.push_back({.parent = ""});
        filters.push_back({.parent = "group1"});
        filters.push_back({.status = "Failed", .parent = "group2", .created_before = middle});
        filters.push_back({.name_contains = "up0", .only_with_parent = true});
    }
    return filters;
}

/// Every filter in every order.
std::vector<Question> Questions(const TableUnderTest& table) {
    std::vector<Question> questions;
    for (const ListSort sort : {ListSort::kCreationTime, ListSort::kName, ListSort::kStatus}) {
        if (sort == ListSort::kStatus && !table.sorts_by_status) continue;
        for (const bool descending : {false, true}) {
            for (Question question : Filters(table)) {
                question.sort = sort;
                question.descending = descending;
                questions.push_back(question);
            }
        }
    }
    return questions;
}

TEST_F(RowListTest, EveryFilterOrderAndPageSizeOfEveryListMeetsTheRightRowsOnce) {
    for (const TableUnderTest& table : kTables) {
        const std::vector<TestRow> rows = MakeRows(table, 1'203);
        Insert(table, rows);
        const Lister list = ListerOf(table);
        std::size_t idx = 0;
        for (Question question : Questions(table)) {
            constexpr std::size_t kLimits[] = {100, 431, 1'500};
            question.limit = kLimits[idx++ % 3];
            const auto expected = Expected(table, rows, question);
            EXPECT_EQ(Walk(list, question), expected) << table.name << " " << question.Text();
        }
    }
}

TEST_F(RowListTest, RowsThatComeAndGoBetweenPagesDisturbNoOthers) {
    for (const TableUnderTest& table : {kTables[0], kTables[3], kTables[7]}) {
        const std::vector<TestRow> rows = MakeRows(table, 1'203);
        Insert(table, rows);
        const Lister list = ListerOf(table);
        int number = 5'000;
        std::size_t idx = 0;
        for (const Question& question : Questions(table)) {
            if (idx++ % 3 != 0) continue;  // Each write is a commit.
            std::set<std::string> gone;
            std::vector<std::string> met;
            std::optional<ListCursor> after;
            do {
                const Page page = list(question, after);
                met.insert(met.end(), page.names.begin(), page.names.end());
                after = page.next;
                // The last row met goes away, so a cursor has to stand where no row is; a new one comes.
                if (gone.size() < 3 && !page.names.empty()) {
                    Delete(table, page.names.back());
                    gone.insert(page.names.back());
                    Insert(table, MakeRows(table, 1, number++));
                }
            } while (after);
            std::set<std::string> once(met.begin(), met.end());
            EXPECT_EQ(once.size(), met.size()) << table.name << " " << question.Text();
            for (const std::string& name : Expected(table, rows, question)) {
                EXPECT_TRUE(once.contains(name)) << table.name << " " << question.Text() << " lost " << name;
            }
            for (const TestRow& row : rows)
                if (gone.contains(row.name)) Insert(table, {row});
            for (int i = 5'000; i < number; ++i) Delete(table, MakeRows(table, 1, i)[0].name);
            number = 5'000;
        }
    }
}

TEST_F(RowListTest, APageOfALongListCostsWhatItShows) {
    for (const TableUnderTest& table : {kTables[0], kTables[3]}) {
        const Lister list = ListerOf(table);
        Insert(table, MakeRows(table, 30'000));
        // A row shown costs some forty steps; one looked at, or found through a filter's index, up to thirty.
        constexpr std::int64_t kFewStepsMax = 8'000;
        constexpr std::int64_t kStepsMax = 30 * static_cast<std::int64_t>(kRowsLookedAt + 3 * kFewRows);
        for (const Question& question : Questions(table)) {
            const bool in_order =
                question.name_contains.empty() && !question.modified_after && !question.modified_before &&
                (question.sort == ListSort::kCreationTime || (!question.created_after && !question.created_before));
            const Page first = list(question, {});
            steps = 0;
            list(question, first.next);
            EXPECT_LE(steps.load(), in_order ? kFewStepsMax : kStepsMax) << table.name << " " << question.Text();
        }
    }
}

TEST_F(RowListTest, ARarePartOfANameIsFoundAtOnceAmongManyAndAPageThatLookedLongSaysSo) {
    const TableUnderTest& table = kTables[0];
    Insert(table, MakeRows(table, 50'000));
    const Lister list = ListerOf(table);
    steps = 0;
    const Page rare = list({.name_contains = "-57124-"}, {});
    EXPECT_EQ(rare.names.size(), 1U);
    EXPECT_FALSE(rare.next);
    EXPECT_LT(steps.load(), 40'000) << "through the index of names";

    // Two characters have no index, and the only such row is the newest.
    TestRow last = MakeRows(table, 1, 60'000)[0];
    last.name = "q-w";
    last.created_at = kStart + 100'000'000;
    Insert(table, {last});
    const Page nothing_yet = list({.name_contains = "q-"}, {});
    EXPECT_TRUE(nothing_yet.names.empty());
    EXPECT_TRUE(nothing_yet.next);
    EXPECT_EQ(Walk(list, {.name_contains = "q-"}), std::vector<std::string>{"q-w"});
}

}  // namespace
}  // namespace espalier::meta
