#include "data/load_rows.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "data/text_blocks.h"

namespace espalier::data {
namespace {

namespace fs = std::filesystem;

class LoadRowsTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "espalier-load-XXXXXX").string();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        root_ = pattern;
        fs::create_directories(root_ / "train");
    }
    void TearDown() override { fs::remove_all(root_); }

    void Write(const std::string& name, const std::string& content) {
        std::ofstream(root_ / "train" / name, std::ios::binary) << content;
    }
    void WriteGzip(const std::string& name, const std::string& content) {
        gzFile file = gzopen((root_ / "train" / name).c_str(), "wb");
        ASSERT_EQ(gzwrite(file, content.data(), static_cast<unsigned>(content.size())),
                  static_cast<int>(content.size()));
        gzclose(file);
    }
    Result<LabeledRows> Load(LoadOptions options = {}) {
        std::string path = (root_ / "train").string();
        Result<std::vector<DataFile>> files = FindDataFiles(std::span(&path, 1));
        if (!files) return std::move(files).error();
        report_ = {};
        Result<TrainingRows> loaded = LoadRows(*files, options, report_);
        if (!loaded) return std::move(loaded).error();
        return LabeledRows{Expand(loaded->rows), loaded->labels, loaded->weights, loaded->query_ids};
    }
    std::string Message(LoadOptions options = {}) {
        Result<LabeledRows> loaded = Load(options);
        return loaded ? "loaded" : loaded.error().message();
    }

    fs::path root_;
    LoadReport report_;
};

LoadOptions Csv() {
    LoadOptions options;
    options.format = InputFormat::kCsv;
    return options;
}

std::string ManyRows(int num_rows, unsigned seed) {
    std::mt19937 random(seed);
    std::string text;
    for (int row = 0; row < num_rows; ++row) {
        text += std::to_string(row % 10);
        for (int idx = 1; idx < 60; ++idx) {
            if (random() % 4 == 0) continue;
            text +=
                " " + std::to_string(idx) + (random() % 2 == 0 ? ":0.0" : ":0." + std::to_string(random() % 100000));
        }
        text += random() % 50 == 0 ? "\r\n\n" : "\n";
    }
    return text;
}

void ExpectEqual(const LabeledRows& a, const LabeledRows& b) {
    EXPECT_EQ(a.labels, b.labels);
    EXPECT_EQ(a.rows.row_offsets, b.rows.row_offsets);
    EXPECT_EQ(a.rows.feature_idx, b.rows.feature_idx);
    EXPECT_EQ(a.rows.values, b.rows.values);
    EXPECT_EQ(a.rows.num_features, b.rows.num_features);
}

TEST_F(LoadRowsTest, TheResultDoesNotDependOnThreadsOrOnGzip) {
    std::string first = ManyRows(9000, 1);
    std::string second = ManyRows(3000, 2);
    second.pop_back();  // no line end at the end of the file
    ASSERT_GT(first.size(), 3 * kTextBlockBytes);
    Write("a", first);
    Write("b", second);
    Result<LabeledRows> one = Load();
    ASSERT_TRUE(one) << one.error().message();
    EXPECT_EQ(one->rows.num_rows(), 12000U);
    LoadOptions options;
    for (int num_threads : {2, 5}) {
        options.num_threads = num_threads;
        Result<LabeledRows> many = Load(options);
        ASSERT_TRUE(many);
        ExpectEqual(*one, *many);
    }
    fs::remove(root_ / "train" / "a");
    WriteGzip("a.gz", first);
    Result<LabeledRows> packed = Load(options);
    ASSERT_TRUE(packed) << packed.error().message();
    ExpectEqual(*one, *packed);
}

TEST_F(LoadRowsTest, TellsFileLineAndColumnWhereverTheErrorLies) {
    std::string good = ManyRows(20000, 3);
    Write("part-0.libsvm", good);
    std::size_t line_start = good.rfind('\n', good.size() / 2) + 1;
    std::string bad = good.substr(0, line_start) + "3 1:0.5 2:oops\n" + good.substr(line_start);
    std::size_t num_lines = 1;
    for (char c : good.substr(0, line_start)) num_lines += c == '\n' ? 1 : 0;
    std::string place = "train/part-1.libsvm, line " + std::to_string(num_lines) + ", column 11: 'oops'";
    Write("part-1.libsvm", bad);
    LoadOptions options;
    for (int num_threads : {1, 4}) {
        options.num_threads = num_threads;
        EXPECT_NE(Message(options).find(place), std::string::npos) << Message(options);
    }
    fs::remove(root_ / "train" / "part-1.libsvm");
    WriteGzip("part-1.libsvm", bad);
    EXPECT_NE(Message(options).find(place), std::string::npos) << Message(options);
}

TEST_F(LoadRowsTest, TheFirstErrorInFileOrderWins) {
    Write("a", ManyRows(5000, 1) + "bad1 1:1\n" + ManyRows(5000, 2));
    Write("b", "bad2 1:1\n");
    LoadOptions options;
    options.num_threads = 4;
    for (int round = 0; round < 5; ++round) EXPECT_NE(Message(options).find("'bad1'"), std::string::npos);
}

TEST_F(LoadRowsTest, AMarkAndBlankBlocksBeforeTheFirstRowDoNoHarm) {
    Write("a", std::string("\xEF\xBB\xBF") + "1 1:2\n");
    Write("b", std::string(3 * kTextBlockBytes, '\n') + "2 3:4");
    Result<LabeledRows> loaded = Load();
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ(loaded->labels, (std::vector<float>{1, 2}));
    fs::remove(root_ / "train" / "a");
    loaded = Load();
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ(loaded->labels, (std::vector<float>{2}));
}

TEST_F(LoadRowsTest, AnEmptyChannelGivesNoRows) {
    EXPECT_EQ(Load()->rows.num_rows(), 0U);
    Write("a", "\n# nothing\n");
    EXPECT_EQ(Load()->rows.num_rows(), 0U);
}

TEST_F(LoadRowsTest, ALineLongerThanABlockIsOneRow) {
    std::string text = "1";
    for (int idx = 0; idx < 400000; ++idx) text += " " + std::to_string(idx) + ":0.5";
    ASSERT_GT(text.size(), 4 * kTextBlockBytes);
    Write("a", "0 1:1\n" + text + "\n0 2:1\n");
    Result<LabeledRows> loaded = Load();
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ(loaded->rows.row_offsets, (std::vector<std::uint64_t>{0, 1, 400001, 400002}));
}

TEST_F(LoadRowsTest, BrokenGzipIsTold) {
    WriteGzip("a.gz", ManyRows(2000, 1));
    fs::resize_file(root_ / "train" / "a.gz", fs::file_size(root_ / "train" / "a.gz") / 2);
    EXPECT_NE(Message().find("train/a.gz: the gzip stream is broken: it ends too early"), std::string::npos)
        << Message();
    Write("a.gz", std::string("\x1f\x8b\x08") + std::string(100, 'x'));
    EXPECT_NE(Message().find("train/a.gz: the gzip stream is broken"), std::string::npos) << Message();
}

TEST_F(LoadRowsTest, WrongFormatsAreNamed) {
    Write("a.csv", "5,0.1,0.2\n6,0.3,0.4\n");
    EXPECT_NE(Message().find("First line '5,0.1,0.2...' of file 'train/a.csv' is not 'LIBSVM' format."),
              std::string::npos)
        << Message();
    Write("a.csv", "label,f0,f1\n6,0.3,0.4\n");
    EXPECT_NE(Message(Csv()).find("found in the header line 'label,f0,f1...' of file 'train/a.csv'"), std::string::npos)
        << Message(Csv());
    Write("a.csv", "1 1:0.5 2:1\n");
    EXPECT_NE(Message(Csv()).find("Blankspace and colon found in firstline '1 1:0.5 2:1...' of file 'train/a.csv'"),
              std::string::npos)
        << Message(Csv());
    Write("a.csv", "1\n2\n");
    EXPECT_NE(Message(Csv()).find("Delimiter ',' is not found"), std::string::npos) << Message(Csv());
}

TEST_F(LoadRowsTest, CsvTellsDelimiterAndTextCells) {
    Write("a.csv", "1;2;3\n4;abc;6\n");
    Write("b.csv", "7;x;y\n");
    Result<LabeledRows> loaded = Load(Csv());
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ(report_.csv_delimiter, ';');
    ASSERT_EQ(report_.warnings.size(), 1U);
    EXPECT_EQ(report_.warnings[0],
              "3 cells hold text instead of a number and count as missing; the first is in "
              "train/a.csv, line 2, column 3.");
}

TEST_F(LoadRowsTest, AConsumersErrorEndsTheLoad) {
    Write("a", ManyRows(9000, 1));
    std::string path = (root_ / "train").string();
    Result<std::vector<DataFile>> files = FindDataFiles(std::span(&path, 1));
    ASSERT_TRUE(files);
    LoadOptions options;
    options.num_threads = 3;
    int calls = 0;
    Result<void> loaded = LoadRowBlocks(*files, options, report_, [&](const FeatureRows&) -> Result<void> {
        return ++calls == 2 ? Result<void>(Error(ErrorCode::kCancelled, "enough")) : Result<void>();
    });
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code(), ErrorCode::kCancelled);
    EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace espalier::data
