#include "data/recordio.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/protobuf.h"

namespace espalier::data {
namespace {

using Indices = EntryVector<std::uint32_t>;
using Values = EntryVector<float>;
using Offsets = std::vector<std::uint64_t>;
using Floats = std::vector<float>;

template <typename Number>
std::string Bytes(const std::vector<Number>& numbers) {
    return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

std::string Varints(const std::vector<std::uint64_t>& numbers) {
    std::string out;
    for (const std::uint64_t number : numbers) AppendVarint(out, number);
    return out;
}

std::string TensorOf(const std::string& packed_values, const std::vector<std::uint64_t>& keys = {},
                     const std::vector<std::uint64_t>& shape = {}) {
    std::string tensor;
    AppendBytesField(tensor, 1, packed_values);
    if (!keys.empty()) AppendBytesField(tensor, 2, Varints(keys));
    if (!shape.empty()) AppendBytesField(tensor, 3, Varints(shape));
    return tensor;
}

/// An entry of the map of features (1) or labels (2).
std::string Entry(std::uint32_t map, std::uint32_t kind, const std::string& tensor, const char* name = "values") {
    std::string value;
    AppendBytesField(value, kind, tensor);
    std::string entry;
    AppendBytesField(entry, 1, name);
    AppendBytesField(entry, 2, value);
    std::string field;
    AppendBytesField(field, map, entry);
    return field;
}

std::string Label(float label) {
    return Entry(2, 2, TensorOf(Bytes(Floats{label})));
}

std::string Framed(const std::string& payload) {
    std::string out;
    AppendRecordIoFrame(out, payload);
    return out;
}

std::string FramePart(std::uint32_t part, const std::string& payload) {
    std::string out = Framed(payload);
    out[7] = static_cast<char>(part << 5U);
    return out;
}

std::string DenseRecord(const Floats& values, float label) {
    return Framed(Entry(1, 2, TensorOf(Bytes(values))) + Label(label));
}

TEST(RecordIoTest, ReadsDenseSparseAndEveryKindOfNumber) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::string file =
        DenseRecord({1, nan, 0, 2.5F}, 7) +
        Framed(Entry(1, 3, TensorOf(Bytes(std::vector<double>{0.1, 3}), {5, 2}, {9})) + Label(1)) +
        Framed(Entry(1, 7, TensorOf(Varints({4, ~std::uint64_t{0}}))) + Entry(2, 7, TensorOf(Varints({3})))) +
        Framed(Entry(1, 2, TensorOf("", {}, {4})) + Label(0));
    LabeledRows rows;
    ASSERT_EQ(WholeRecordsSize(file), file.size());
    const auto issue = ParseRecordIoBlock(file, {}, rows);
    ASSERT_FALSE(issue) << issue->message;
    EXPECT_EQ(rows.labels, (Floats{7, 1, 3, 0}));
    EXPECT_EQ(rows.rows.row_offsets, (Offsets{0, 3, 5, 7, 7}));
    EXPECT_EQ(rows.rows.feature_idx, (Indices{0, 2, 3, 2, 5, 0, 1}));
    EXPECT_EQ(rows.rows.values, (Values{1, 0, 2.5F, 3, 0.1F, 4, -1}));
    EXPECT_EQ(rows.rows.num_features, 9U);
}

TEST(RecordIoTest, SinglesInsteadOfPackedNumbersAndOtherNamesAreTaken) {
    std::string tensor("\x0d\x00\x00\x80\x3f\x0d\x00\x00\x00\x40", 10);  // values 1 and 2, one field each
    AppendVarintField(tensor, 2, 3);
    AppendVarintField(tensor, 2, 6);
    const std::string file = Framed(Entry(1, 2, TensorOf(Bytes(Floats{9})), "other") + Entry(1, 2, tensor) + Label(1));
    LabeledRows rows;
    ASSERT_FALSE(ParseRecordIoBlock(file, {}, rows));
    EXPECT_EQ(rows.rows.feature_idx, (Indices{3, 6}));
    EXPECT_EQ(rows.rows.values, (Values{1, 2}));
    EXPECT_EQ(rows.rows.num_features, 7U);
}

TEST(RecordIoTest, JoinsARecordThatWasCutAtTheMagicNumber) {
    const std::string magic("\x0A\x23\xD7\xCE", 4);
    float number = 0;
    std::memcpy(&number, magic.data(), 4);  // A feature whose bytes are the magic number.
    const std::string payload = Entry(1, 2, TensorOf(Bytes(Floats{1, number, 2, number, 3}))) + Label(5);
    const std::size_t first = payload.find(magic);
    const std::size_t second = payload.find(magic, first + 4);
    const std::string file = FramePart(1, payload.substr(0, first)) +
                             FramePart(2, payload.substr(first + 4, second - first - 4)) +
                             FramePart(3, payload.substr(second + 4)) + DenseRecord({4}, 6);
    LabeledRows rows;
    ASSERT_FALSE(ParseRecordIoBlock(file, {}, rows));
    EXPECT_EQ(rows.rows.values, (Values{1, number, 2, number, 3, 4}));
    // A cut inside leaves the whole record for the next block.
    EXPECT_EQ(WholeRecordsSize(std::string_view(file).substr(0, 60)), 0U);
    LabeledRows cut;
    EXPECT_TRUE(ParseRecordIoBlock(FramePart(2, "x"), {}, cut));
    EXPECT_TRUE(ParseRecordIoBlock(FramePart(1, payload.substr(0, first)), {}, cut));
}

TEST(RecordIoTest, BlocksAreCutBetweenRecords) {
    const std::string one = DenseRecord({1, 2}, 3);
    const std::string two = one + DenseRecord({4}, 5);
    for (std::size_t size = 0; size < two.size(); ++size) {
        EXPECT_EQ(WholeRecordsSize(std::string_view(two).substr(0, size)), size < one.size() ? 0 : one.size());
    }
}

TEST(RecordIoTest, NamesWhatIsWrongAndKeepsTheRowsBefore) {
    const std::string good = DenseRecord({1}, 2);
    const float infinity = std::numeric_limits<float>::infinity();
    struct Case {
        std::string file;
        const char* says;
    };
    const std::vector<Case> cases = {
        {"no frame at all", "no RecordIO frame"},
        {good.substr(0, good.size() - 1), "ends within a record"},
        {Framed("\xFF\xFF\xFF"), "no protobuf message"},
        {Framed(Label(1)), "no features named 'values'"},
        {Framed(Entry(1, 2, TensorOf(Bytes(Floats{1})))), "0 labels"},
        {Framed(Entry(1, 2, TensorOf(Bytes(Floats{1}))) + Entry(2, 2, TensorOf(Bytes(Floats{1, 2})))), "2 labels"},
        {DenseRecord({1}, infinity), "the label is inf"},
        {DenseRecord({1, infinity}, 0), "feature 1 is inf"},
        {Framed(Entry(1, 9, "image") + Label(1)), "bytes (images, text)"},
        {Framed(Entry(1, 2, TensorOf(Bytes(Floats{1, 2}), {4, 4})) + Label(1)), "key 4 stands twice"},
        {Framed(Entry(1, 2, TensorOf(Bytes(Floats{1}), {4, 5})) + Label(1)), "2 keys and 1 values"},
        {Framed(Entry(1, 2, TensorOf(Bytes(Floats{1}), {4}, {3})) + Label(1)), "outside the tensor's shape"},
        {Framed(Entry(1, 2, TensorOf(Bytes(Floats{1}), {~std::uint64_t{0}})) + Label(1)), "too high"},
        {Framed(Entry(1, 2, TensorOf("abc")) + Label(1)), "cut or damaged"},
    };
    for (const Case& bad : cases) {
        LabeledRows rows;
        const auto issue = ParseRecordIoBlock(good + bad.file, {}, rows);
        ASSERT_TRUE(issue) << bad.says;
        EXPECT_NE(issue->message.find(bad.says), std::string::npos) << issue->message;
        EXPECT_EQ(issue->offset, good.size());
        EXPECT_EQ(rows.labels, (Floats{2}));
        EXPECT_EQ(rows.rows.num_rows(), 1U);
        EXPECT_EQ(rows.rows.values, (Values{1}));
    }
}

TEST(RecordIoTest, ARequestNeedsNoLabelsAndNamesTheRecord) {
    const std::string unlabeled = Framed(Entry(1, 2, TensorOf(Bytes(Floats{1, 2}))));
    LabeledRows rows;
    ASSERT_TRUE(ParseRecordIoRequest(unlabeled + DenseRecord({3}, 9), rows));
    EXPECT_EQ(rows.rows.values, (Values{1, 2, 3}));
    EXPECT_TRUE(rows.labels.empty());
    const auto bad = ParseRecordIoRequest(unlabeled + "rubbish!", rows);
    ASSERT_FALSE(bad);
    EXPECT_NE(bad.error().message().find(fmt::format("record 2 (byte {}): ", unlabeled.size())), std::string::npos)
        << bad.error().message();
}

}  // namespace
}  // namespace espalier::data
