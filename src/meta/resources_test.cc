#include "meta/resources.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace espalier::meta {
namespace {

class ResourcesTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "resources_test_XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        database_ = Database::Open(folder_ + "/meta.db").value();
    }
    void TearDown() override {
        database_.reset();
        std::filesystem::remove_all(folder_);
    }

    ResourceRecord Endpoint(std::string name, UnixMillis created_at, std::string status = "InService") const {
        return {.scope = scope_,
                .name = std::move(name),
                .created_at = created_at,
                .modified_at = created_at + 5,
                .status = std::move(status),
                .document = "{}"};
    }
    std::string Names(const ListQuery& query) {
        std::string names;
        std::vector<ResourceRecord> rows = Resources(*database_, ResourceKind::kEndpoint).List(query).value().rows;
        for (const ResourceRecord& row : rows) names += row.name + " ";
        return names;
    }

    std::string folder_;
    std::unique_ptr<Database> database_;
    Scope scope_{.account = "123456789012", .region = "us-east-1"};
};

TEST_F(ResourcesTest, KeepsWhatItIsGivenUnderItsScope) {
    Resources models(*database_, ResourceKind::kModel);
    ResourceRecord record = Endpoint("Demo-Model", 1700000000123);
    record.document = R"({"a": "ü"})";
    ASSERT_TRUE(models.Insert(record, {}).has_value());
    ResourceRecord found = models.Find(scope_, "Demo-Model").value().value();
    EXPECT_EQ(found.document, record.document);
    EXPECT_EQ(found.created_at, 1700000000123);
    EXPECT_EQ(found.modified_at, 1700000000128);
    EXPECT_EQ(found.status, "InService");
    EXPECT_FALSE(models.Find(scope_, "demo-model").value().has_value()) << "names are found by their case";
    EXPECT_FALSE(models.Find({"123456789012", "eu-west-1"}, "Demo-Model").value().has_value());
    EXPECT_FALSE(Resources(*database_, ResourceKind::kEndpoint).Find(scope_, "Demo-Model").value().has_value());

    record.name = "DEMO-model";
    EXPECT_EQ(models.Insert(record, {}).error().code(), ErrorCode::kAlreadyExists);
    EXPECT_TRUE(models.ExistsFolded(scope_, "demo-model").value());
    EXPECT_FALSE(models.ExistsFolded(scope_, "demo").value());
}

TEST_F(ResourcesTest, UpdatesAndDeletes) {
    Resources endpoints(*database_, ResourceKind::kEndpoint);
    ResourceRecord record = Endpoint("e", 1, "Creating");
    EXPECT_EQ(endpoints.Update(record).error().code(), ErrorCode::kNotFound);
    ASSERT_TRUE(endpoints.Insert(record, {}).has_value());
    record.status = "InService";
    record.modified_at = 99;
    ASSERT_TRUE(endpoints.Update(record).has_value());
    EXPECT_EQ(endpoints.All().value().at(0).status, "InService");
    EXPECT_EQ(endpoints.All().value().at(0).modified_at, 99);
    ASSERT_TRUE(endpoints.Delete(scope_, "e").has_value());
    EXPECT_EQ(endpoints.Delete(scope_, "e").error().code(), ErrorCode::kNotFound);
    EXPECT_TRUE(endpoints.All().value().empty());
}

TEST_F(ResourcesTest, ListsByFilterSortAndCursor) {
    Resources endpoints(*database_, ResourceKind::kEndpoint);
    ASSERT_TRUE(endpoints.Insert(Endpoint("b-One", 10), {}).has_value());
    ASSERT_TRUE(endpoints.Insert(Endpoint("a-one", 30, "Failed"), {}).has_value());
    ASSERT_TRUE(endpoints.Insert(Endpoint("d-two", 20), {}).has_value());
    ASSERT_TRUE(endpoints.Insert(Endpoint("c-two", 20), {}).has_value());

    ListQuery query{.scope = scope_};
    EXPECT_EQ(Names(query), "a-one d-two c-two b-One ");
    query.descending = false;
    EXPECT_EQ(Names(query), "b-One c-two d-two a-one ");
    query.sort = ListSort::kName;
    EXPECT_EQ(Names(query), "a-one b-One c-two d-two ");
    query.sort = ListSort::kStatus;
    EXPECT_EQ(Names(query), "a-one b-One c-two d-two ");
    query.name_contains = "ONE";
    EXPECT_EQ(Names(query), "a-one b-One ");
    query = {.scope = scope_, .created_after = 10, .created_before = 30};
    EXPECT_EQ(Names(query), "d-two c-two ");
    query = {.scope = scope_, .modified_after = 25};
    EXPECT_EQ(Names(query), "a-one ");
    query = {.scope = scope_, .status = "Failed"};
    EXPECT_EQ(Names(query), "a-one ");
    query = {.scope = {"123456789012", "eu-west-1"}};
    EXPECT_EQ(Names(query), "");
}

TEST_F(ResourcesTest, PagesMeetEveryRowOnceInEachOrder) {
    Resources endpoints(*database_, ResourceKind::kEndpoint);
    for (int i = 0; i < 23; ++i)
        ASSERT_TRUE(
            endpoints.Insert(Endpoint("e" + std::to_string(i), i / 4, i % 3 ? "InService" : "Failed"), {}).has_value());
    for (auto sort_by : {ListSort::kName, ListSort::kCreationTime, ListSort::kStatus}) {
        for (bool descending : {false, true}) {
            ListQuery query{.scope = scope_, .sort = sort_by, .descending = descending};
            std::string at_once = Names(query);
            query.limit = 4;
            std::string paged;
            while (true) {
                const ResourcePage page = endpoints.List(query).value();
                for (const ResourceRecord& row : page.rows) paged += row.name + " ";
                if (!page.next) break;
                query.after = page.next;
            }
            EXPECT_EQ(paged, at_once);
        }
    }
}

TEST_F(ResourcesTest, TagsGoWithTheirResource) {
    Resources models(*database_, ResourceKind::kModel);
    Tags tags(*database_);
    const std::string arn = "arn:aws:sagemaker:us-east-1:123456789012:model/m";
    std::vector<Tag> first = {{"team", "a"}, {"Stage", ""}};
    ASSERT_TRUE(models.Insert(Endpoint("M", 1), first).has_value());
    ASSERT_EQ(tags.List(arn).value().size(), 2U);
    std::vector<Tag> more = {{"team", "b"}, {"x", "y"}};
    std::vector<Tag> all = tags.Add("arn:aws:sagemaker:us-east-1:123456789012:model/M", more).value();
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].key + all[0].value, "teamb");
    EXPECT_EQ(all[1].key, "Stage");
    EXPECT_EQ(all[2].key, "x");
    std::vector<std::string> keys = {"Stage", "never"};
    ASSERT_TRUE(tags.Remove(arn, keys).has_value());
    EXPECT_EQ(tags.List(arn).value().size(), 2U);
    ASSERT_TRUE(models.Delete(scope_, "M").has_value());
    EXPECT_TRUE(tags.List(arn).value().empty());
}

TEST_F(ResourcesTest, FiftyTagsAndNotOneMore) {
    Tags tags(*database_);
    std::vector<Tag> fifty;
    for (std::size_t i = 0; i < kTagsPerResourceMax; ++i) fifty.push_back({"k" + std::to_string(i), "v"});
    ASSERT_TRUE(tags.Add("arn:x", fifty).has_value());
    std::vector<Tag> one = {{"another", ""}};
    EXPECT_EQ(tags.Add("arn:x", one).error().code(), ErrorCode::kResourceLimit);
    EXPECT_EQ(tags.List("arn:x").value().size(), kTagsPerResourceMax) << "the refused transaction left nothing";
    std::vector<Tag> again = {{"k7", "w"}};
    EXPECT_TRUE(tags.Add("arn:x", again).has_value());
}

}  // namespace
}  // namespace espalier::meta
