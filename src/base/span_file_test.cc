#include "base/span_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace espalier {
namespace {

class SpanFileTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "span_file_XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        path_ = folder_ + "/spans.jsonl";
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    std::string folder_;
    std::string path_;
};

TEST_F(SpanFileTest, GivesBackWhatStagesLeft) {
    const TraceContext trace = NewTrace();
    const SpanFile file(path_, trace);
    {
        SpanFile::Stage outer(file, "instance");
        const SpanFile inside = outer.Inside();
        SpanFile::Stage(inside, "load").End();
        SpanFile::Stage(inside, "rounds").End("a \"bad\" label\n");
    }
    const std::vector<Span> spans = ReadSpanFile(path_, trace);
    ASSERT_EQ(spans.size(), 3U);
    EXPECT_EQ(spans[0].name, "load");
    EXPECT_EQ(spans[1].name, "rounds");
    EXPECT_TRUE(spans[1].failed);
    EXPECT_EQ(spans[1].message, "a  bad  label ");
    EXPECT_EQ(spans[2].name, "instance");
    EXPECT_EQ(spans[2].parent_id, trace.span_id);
    EXPECT_EQ(spans[0].parent_id, spans[2].context.span_id);
    EXPECT_LE(spans[2].begin, spans[0].begin);
    EXPECT_GE(spans[2].end, spans[1].end);
    EXPECT_TRUE(ReadSpanFile(path_, NewTrace()).empty()) << "of another trace";
}

TEST_F(SpanFileTest, RecordsNothingWithoutATrace) {
    const SpanFile none;
    SpanFile::Stage(none, "load").End("failed");
    EXPECT_FALSE(std::filesystem::exists(path_));
    EXPECT_TRUE(ReadSpanFile(path_, NewTrace()).empty());
}

TEST_F(SpanFileTest, TornAndForeignLinesAreLeftOut) {
    const TraceContext trace = NewTrace();
    SpanFile::Stage(SpanFile(path_, trace), "load").End();
    std::ofstream(path_, std::ios::app) << "{\"trace\":\"" << trace.trace_id << "\",\"span\":\"12\n\nnonsense\n";
    EXPECT_EQ(ReadSpanFile(path_, trace).size(), 1U);
}

}  // namespace
}  // namespace espalier
