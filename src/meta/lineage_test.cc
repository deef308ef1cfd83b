#include "meta/lineage.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "meta/numbered_resources.h"
#include "meta/resources.h"

namespace espalier::meta {
namespace {

const Scope kScope = {.account = "123456789012", .region = "us-east-1"};
constexpr UnixMillis kNow = 1'700'000'000'000;

LineageEntity Entity(std::string_view kind, const std::string& name, UnixMillis created_at = kNow,
                     std::string type = "Model", std::string uri = "") {
    return {.key = {std::string(kind), name},
            .type = std::move(type),
            .source_uri = std::move(uri),
            .document = R"({"Properties": {"k": "v"}})",
            .created_at = created_at,
            .modified_at = created_at};
}

LineageEdge Edge(const LineageKey& source, const LineageKey& destination, UnixMillis created_at = kNow) {
    return {.source = source, .destination = destination, .type = "ContributedTo", .created_at = created_at};
}

class LineageTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "lineage_test_XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        database_ = Database::Open(folder_ + "/meta.db").value();
    }
    void TearDown() override {
        database_.reset();
        std::filesystem::remove_all(folder_);
    }
    Lineage lineage() { return Lineage(*database_); }

    std::vector<std::string> NamesOf(const LineageListQuery& query) {
        std::vector<std::string> names;
        const std::vector<LineageEntity> found = lineage().List(query).value();
        for (const LineageEntity& entity : found) names.push_back(entity.key.name);
        return names;
    }

    std::string folder_;
    std::unique_ptr<Database> database_;
};

TEST_F(LineageTest, WhatIsNotedAgainStaysAsItWasButForItsTime) {
    const LineageEntity data = Entity(kArtifact, "data", kNow, "DataSet", "s3://b/data");
    const LineageEntity job = Entity(kTrialComponent, "job", kNow, "TrainingJob");
    const LineageNote note = {.entities = {data, job}, .edges = {Edge(data.key, job.key)}};
    ASSERT_TRUE(lineage().Note(kScope, note).has_value());
    LineageNote again = note;
    again.entities[0].type = "Other";
    again.entities[0].document = "{}";
    again.entities[0].modified_at = kNow + 9;
    again.edges[0].created_at = kNow + 9;
    ASSERT_TRUE(lineage().Note(kScope, again).has_value());

    const LineageEntity found = lineage().Find(kScope, data.key).value().value();
    EXPECT_EQ(found.type, "DataSet");
    EXPECT_EQ(found.source_uri, "s3://b/data");
    EXPECT_EQ(found.document, data.document);
    EXPECT_EQ(found.created_at, kNow);
    EXPECT_EQ(found.modified_at, kNow + 9);
    const std::vector<LineageEdge> edges = lineage().EdgesOf(kScope, data.key, /*outgoing=*/true).value();
    ASSERT_EQ(edges.size(), 1U);
    EXPECT_EQ(edges[0].destination, job.key);
    EXPECT_EQ(edges[0].created_at, kNow);
    EXPECT_EQ(lineage().EdgesOf(kScope, job.key, /*outgoing=*/false).value().size(), 1U);
    EXPECT_TRUE(lineage().EdgesOf(kScope, job.key, /*outgoing=*/true).value().empty());
    EXPECT_FALSE(lineage().Find({"123456789012", "eu-west-1"}, data.key).value().has_value()) << "another scope";
}

TEST_F(LineageTest, ClientsEntitiesAreMadeChangedAndDeletedWithTheirEdges) {
    LineageEntity action = Entity(kAction, "a");
    const LineageEntity context = Entity(kContext, "c");
    ASSERT_TRUE(lineage().Insert(kScope, action).has_value());
    ASSERT_TRUE(lineage().Insert(kScope, context).has_value());
    EXPECT_EQ(lineage().Insert(kScope, action).error().code(), ErrorCode::kAlreadyExists);
    action.document = R"({"Status": "Completed"})";
    action.modified_at = kNow + 1;
    ASSERT_TRUE(lineage().Update(kScope, action).has_value());
    EXPECT_EQ(lineage().Find(kScope, action.key).value()->document, action.document);
    EXPECT_EQ(lineage().Update(kScope, Entity(kAction, "other")).error().code(), ErrorCode::kNotFound);

    ASSERT_TRUE(lineage().Note(kScope, {.edges = {Edge(action.key, context.key)}}).has_value());
    EXPECT_EQ(lineage().Delete(kScope, action.key, /*with_edges=*/false).error().code(), ErrorCode::kConflict);
    EXPECT_EQ(lineage().Delete(kScope, context.key, /*with_edges=*/false).error().code(), ErrorCode::kConflict);
    ASSERT_TRUE(lineage().DeleteEdge(kScope, action.key, context.key).has_value());
    EXPECT_EQ(lineage().DeleteEdge(kScope, action.key, context.key).error().code(), ErrorCode::kNotFound);
    ASSERT_TRUE(lineage().Delete(kScope, context.key, /*with_edges=*/false).has_value());

    ASSERT_TRUE(lineage().Insert(kScope, context).has_value());
    ASSERT_TRUE(lineage().Note(kScope, {.edges = {Edge(action.key, context.key)}}).has_value());
    ASSERT_TRUE(lineage().Delete(kScope, action.key, /*with_edges=*/true).has_value());
    EXPECT_TRUE(lineage().EdgesOf(kScope, context.key, /*outgoing=*/false).value().empty());
    EXPECT_EQ(lineage().Delete(kScope, action.key, /*with_edges=*/true).error().code(), ErrorCode::kNotFound);
}

TEST_F(LineageTest, ListsFilterAndGoOnBehindAnEntity) {
    for (const auto& [name, time, type, uri] : {std::tuple("d", 1, "Model", "s3://b/m"),
                                                {"c", 2, "DataSet", "s3://b/d"},
                                                {"b", 3, "Model", "s3://b/m"},
                                                {"a", 3, "Model", "s3://b/n"}})
        ASSERT_TRUE(lineage().Insert(kScope, Entity(kArtifact, name, kNow + time, type, uri)).has_value());
    ASSERT_TRUE(lineage().Insert(kScope, Entity(kAction, "e")).has_value());
    using Names = std::vector<std::string>;
    LineageListQuery query = {.scope = kScope, .kind = std::string(kArtifact)};
    EXPECT_EQ(NamesOf(query), (Names{"b", "a", "c", "d"})) << "newest first";
    query.limit = 2;
    query.after = lineage().Find(kScope, {std::string(kArtifact), "b"}).value();
    EXPECT_EQ(NamesOf(query), (Names{"a", "c"}));
    query.by_name = true;
    query.descending = false;
    EXPECT_EQ(NamesOf(query), (Names{"c", "d"}));
    query.after.reset();
    query.type = "Model";
    EXPECT_EQ(NamesOf(query), (Names{"a", "b"}));
    query.source_uri = "s3://b/m";
    EXPECT_EQ(NamesOf(query), (Names{"b", "d"}));
    query.created_after = kNow + 1;
    EXPECT_EQ(NamesOf(query), (Names{"b"}));
    query.created_before = kNow + 3;
    EXPECT_EQ(NamesOf(query), Names{});
}

TEST_F(LineageTest, EdgesAreReadInPages) {
    std::vector<LineageEdge> all;
    for (int i = 0; i < 7; ++i)
        all.push_back(Edge({std::string(kArtifact), std::to_string(i)}, {std::string(kAction), "x"}, kNow + i / 3));
    ASSERT_TRUE(lineage().Note(kScope, {.edges = all}).has_value());
    std::vector<std::string> met;
    std::optional<LineageEdge> after;
    while (true) {
        const std::vector<LineageEdge> page = lineage().Edges(kScope, after, 3).value();
        if (page.empty()) break;
        for (const LineageEdge& edge : page) met.push_back(edge.source.name);
        after = page.back();
    }
    EXPECT_EQ(met, (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6"}));
}

TEST_F(LineageTest, ANameTellsPlaceAndContentApart) {
    EXPECT_EQ(ArtifactName("s3://b/m", "1"), ArtifactName("s3://b/m", "1"));
    EXPECT_NE(ArtifactName("s3://b/m", "1"), ArtifactName("s3://b/m", "2"));
    EXPECT_NE(ArtifactName("s3://b/m", "1"), ArtifactName("s3://b/n", "1"));
    EXPECT_EQ(ArtifactName("s3://b/m", "").size(), 32U);
}

TEST_F(LineageTest, AThingAndItsLineageAreMadeTogetherOrNotAtAll) {
    const LineageEntity model = Entity(kArtifact, "m");
    const ResourceRecord row = {
        .scope = kScope, .name = "m", .created_at = kNow, .modified_at = kNow, .status = "", .document = "{}"};
    Resources models(*database_, ResourceKind::kModel);
    ASSERT_TRUE(models.Insert(row, {}, {.entities = {model}}).has_value());
    EXPECT_TRUE(lineage().Find(kScope, model.key).value().has_value());
    const LineageEntity twin = Entity(kArtifact, "twin");
    EXPECT_EQ(models.Insert(row, {}, {.entities = {twin}}).error().code(), ErrorCode::kAlreadyExists);
    EXPECT_FALSE(lineage().Find(kScope, twin.key).value().has_value()) << "the row was refused";

    ASSERT_TRUE(Resources(*database_, ResourceKind::kModelPackageGroup).Insert(row, {}).has_value());
    NumberedResources packages(*database_, ResourceKind::kModelPackageGroup, ResourceKind::kModelPackage);
    const auto lineage_of = [](const std::string& name) { return LineageNote{.entities = {Entity(kArtifact, name)}}; };
    ASSERT_EQ(packages.Append(row, {}, {}, lineage_of).value(), "m/1");
    EXPECT_TRUE(lineage().Find(kScope, {std::string(kArtifact), "m/1"}).value().has_value());
}

}  // namespace
}  // namespace espalier::meta
