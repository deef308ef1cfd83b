#include "data/recordio.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "base/protobuf.h"
#include "data/byte_source.h"

namespace espalier::data {
namespace {

constexpr std::uint32_t kMagic = 0xCED7230AU;
constexpr std::size_t kHeadBytes = 8;
constexpr std::uint32_t kLengthBits = 29;
constexpr char kMend[] =
    " Write the file with sagemaker.amazon.common.write_numpy_to_dense_tensor or write_spmatrix_to_"
    "sparse_tensor.";

// What the upper three bits of a frame's length say.
enum class Part : std::uint32_t { kWhole = 0, kFirst = 1, kMiddle = 2, kLast = 3 };

std::uint32_t Load32(std::string_view bytes, std::size_t at) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    return word;
}

struct Frame {
    std::string_view payload;
    Part part = Part::kWhole;
    std::size_t size_bytes = 0;  ///< head and padding included; 0: the bytes end before the frame does
};

/// False when the bytes at `at` cannot be a frame.
bool ReadFrame(std::string_view bytes, std::size_t at, Frame& frame) {
    frame.size_bytes = 0;
    if (bytes.size() - at < kHeadBytes) return true;
    const std::uint32_t word = Load32(bytes, at + 4);
    const std::uint32_t part = word >> kLengthBits;
    if (Load32(bytes, at) != kMagic || part > static_cast<std::uint32_t>(Part::kLast)) return false;
    const std::size_t length = word & ((1U << kLengthBits) - 1);
    const std::size_t size = kHeadBytes + (length + 3) / 4 * 4;
    if (bytes.size() - at < size) return true;
    frame = {bytes.substr(at + kHeadBytes, length), static_cast<Part>(part), size};
    return true;
}

/// One tensor of a record, its numbers as float32. Reused, so that its memory is.
struct Tensor {
    std::vector<float> values;
    std::vector<std::uint64_t> keys;
    std::vector<std::uint64_t> shape;
    bool present = false;

    void Clear() {
        values.clear();
        keys.clear();
        shape.clear();
        present = false;
    }
};

constexpr std::uint32_t kFloat32Tensor = 2;
constexpr std::uint32_t kFloat64Tensor = 3;
constexpr std::uint32_t kInt32Tensor = 7;
constexpr std::uint32_t kBytesValue = 9;

template <typename Number>
bool AppendFixed(std::string_view bytes, std::vector<float>& values) {
    if (bytes.size() % sizeof(Number) != 0) return false;
    const std::size_t begin = values.size();
    values.resize(begin + bytes.size() / sizeof(Number));
    for (std::size_t i = begin; i < values.size(); ++i) {
        Number number;
        std::memcpy(&number, bytes.data() + (i - begin) * sizeof(Number), sizeof number);
        values[i] = static_cast<float>(number);
    }
    return true;
}

float Int32ToFloat(std::uint64_t varint) {
    return static_cast<float>(static_cast<std::int32_t>(static_cast<std::uint32_t>(varint)));
}

/// The numbers of one field of a tensor, packed or single.
bool AppendNumbers(const ProtobufField& field, std::uint32_t kind, std::vector<float>& values) {
    if (kind == kFloat32Tensor) return AppendFixed<float>(field.bytes, values);
    if (kind == kFloat64Tensor) return AppendFixed<double>(field.bytes, values);
    if (field.type == WireType::kVarint) {
        values.push_back(Int32ToFloat(field.value));
        return true;
    }
    ProtobufCursor list(field.bytes);
    for (std::uint64_t number = 0; list.NextVarint(number);) values.push_back(Int32ToFloat(number));
    return !list.broken();
}

bool AppendWholeNumbers(const ProtobufField& field, std::vector<std::uint64_t>& numbers) {
    if (field.type == WireType::kVarint) {
        numbers.push_back(field.value);
        return true;
    }
    ProtobufCursor list(field.bytes);
    for (std::uint64_t number = 0; list.NextVarint(number);) numbers.push_back(number);
    return !list.broken();
}

/// Reads the messages of one record; what is wrong is a sentence in `message`.
class RecordReader {
  public:
    RecordReader(const RecordIoRules& rules, LabeledRows& rows) : rules_(rules), rows_(rows) {}

    /// Appends the record's row, or says what is wrong with it.
    std::optional<std::string> Append(std::string_view record) {
        features_.Clear();
        label_.Clear();
        ProtobufCursor cursor(record);
        ProtobufField field;
        while (cursor.Next(field)) {
            if (field.type != WireType::kBytes) continue;
            Tensor* tensor = field.number == 1 ? &features_ : field.number == 2 ? &label_ : nullptr;
            if (tensor == nullptr) continue;
            if (auto issue = ReadEntry(field.bytes, *tensor)) return issue;
        }
        if (cursor.broken()) return std::string("the payload is no protobuf message aialgs.data.Record.") + kMend;
        if (!features_.present) return std::string("the record has no features named 'values'.") + kMend;
        if (rules_.labeled) {
            if (auto issue = CheckLabel()) return issue;
        }
        return AppendFeatures();
    }

  private:
    /// An entry of the map: key = 1, value = 2.
    std::optional<std::string> ReadEntry(std::string_view entry, Tensor& tensor) {
        std::string_view name;
        std::string_view value;
        ProtobufCursor cursor(entry);
        ProtobufField field;
        while (cursor.Next(field)) {
            if (field.type == WireType::kBytes && field.number == 1) name = field.bytes;
            if (field.type == WireType::kBytes && field.number == 2) value = field.bytes;
        }
        if (cursor.broken()) return std::string("a map entry of the record is cut or damaged.") + kMend;
        if (name != "values") return std::nullopt;
        return ReadValue(value, tensor);
    }

    static std::optional<std::string> ReadValue(std::string_view value, Tensor& tensor) {
        ProtobufCursor cursor(value);
        ProtobufField field;
        while (cursor.Next(field)) {
            if (field.type != WireType::kBytes) continue;
            if (field.number == kBytesValue) return "bytes (images, text) are no features for XGBoost: give numbers.";
            if (field.number != kFloat32Tensor && field.number != kFloat64Tensor && field.number != kInt32Tensor) {
                continue;
            }
            tensor.Clear();  // The last member of a oneof counts.
            if (!ReadTensor(field.bytes, field.number, tensor)) {
                return std::string("a tensor of the record is cut or damaged.") + kMend;
            }
            tensor.present = true;
        }
        if (cursor.broken()) return std::string("a value of the record is cut or damaged.") + kMend;
        return std::nullopt;
    }

    static bool ReadTensor(std::string_view bytes, std::uint32_t kind, Tensor& tensor) {
        ProtobufCursor cursor(bytes);
        ProtobufField field;
        while (cursor.Next(field)) {
            bool sound = true;
            if (field.number == 1) sound = AppendNumbers(field, kind, tensor.values);
            if (field.number == 2) sound = AppendWholeNumbers(field, tensor.keys);
            if (field.number == 3) sound = AppendWholeNumbers(field, tensor.shape);
            if (!sound) return false;
        }
        return !cursor.broken();
    }

    std::optional<std::string> CheckLabel() const {
        if (!label_.present || label_.values.size() != 1) {
            return fmt::format(
                "the record has {} labels; give each record one, under the name 'values'. Got input data without "
                "labels. Please check the input data set.",
                label_.present ? label_.values.size() : 0);
        }
        if (!std::isfinite(label_.values[0])) return fmt::format("the label is {}.", label_.values[0]);
        return std::nullopt;
    }

    std::optional<std::string> AppendFeatures() {
        const bool sparse = !features_.keys.empty() || (features_.values.empty() && !features_.shape.empty());
        if (sparse && features_.keys.size() != features_.values.size()) {
            return fmt::format("the sparse tensor has {} keys and {} values.", features_.keys.size(),
                               features_.values.size());
        }
        std::uint64_t width = features_.values.size();
        if (sparse) {
            SortByKey();
            width = features_.keys.empty() ? 0 : features_.keys.back() + 1;
            if (width == 0 && !features_.keys.empty()) width = ~std::uint64_t{0};  // The highest key there is.
            if (!features_.shape.empty()) {
                if (width > features_.shape[0]) {
                    return fmt::format("key {} is outside the tensor's shape of {} columns.", width - 1,
                                       features_.shape[0]);
                }
                width = features_.shape[0];
            }
        }
        if (width > 0 && width - 1 > rules_.feature_idx_max) {
            return fmt::format("feature index {} is too high; the highest possible is {}.", width - 1,
                               rules_.feature_idx_max);
        }
        if (auto issue = AppendEntries(sparse)) return issue;
        FeatureRows& rows = rows_.rows;
        rows.row_offsets.push_back(rows.values.size());
        rows.num_features = std::max(rows.num_features, static_cast<std::uint32_t>(width));
        if (rules_.labeled) rows_.labels.push_back(label_.values[0]);
        return std::nullopt;
    }

    /// On an issue the arrays are as they were.
    std::optional<std::string> AppendEntries(bool sparse) {
        FeatureRows& rows = rows_.rows;
        const std::size_t begin = rows.values.size();
        for (std::size_t i = 0; i < features_.values.size(); ++i) {
            const std::uint64_t key = sparse ? features_.keys[i] : i;
            const float value = features_.values[i];
            const bool repeated = sparse && i > 0 && key == features_.keys[i - 1];
            if (repeated || std::isinf(value)) {
                rows.feature_idx.resize(begin);
                rows.values.resize(begin);
                if (repeated) return fmt::format("key {} stands twice in the record.", key);
                return fmt::format("feature {} is {}: use NaN for a missing value.", key, value);
            }
            if (std::isnan(value)) continue;
            rows.feature_idx.push_back(static_cast<std::uint32_t>(key));
            rows.values.push_back(value);
        }
        return std::nullopt;
    }

    void SortByKey() {
        if (std::is_sorted(features_.keys.begin(), features_.keys.end())) return;
        order_.resize(features_.keys.size());
        std::iota(order_.begin(), order_.end(), std::size_t{0});
        std::stable_sort(order_.begin(), order_.end(),
                         [&](std::size_t a, std::size_t b) { return features_.keys[a] < features_.keys[b]; });
        Tensor sorted;
        for (const std::size_t i : order_) {
            sorted.keys.push_back(features_.keys[i]);
            sorted.values.push_back(features_.values[i]);
        }
        features_.keys = std::move(sorted.keys);
        features_.values = std::move(sorted.values);
    }

    const RecordIoRules& rules_;
    LabeledRows& rows_;
    Tensor features_;
    Tensor label_;
    std::vector<std::size_t> order_;
};

}  // namespace

std::size_t WholeRecordsSize(std::string_view bytes) {
    std::size_t whole = 0;
    std::size_t at = 0;
    while (at < bytes.size()) {
        Frame frame;
        if (!ReadFrame(bytes, at, frame)) return bytes.size();
        if (frame.size_bytes == 0) return whole;
        at += frame.size_bytes;
        if (frame.part == Part::kWhole || frame.part == Part::kLast) whole = at;
    }
    return whole;
}

std::vector<std::string_view> SplitRecords(std::string_view bytes) {
    std::vector<std::string_view> records;
    std::size_t begin = 0;
    std::size_t at = 0;
    Frame frame;
    while (at < bytes.size() && ReadFrame(bytes, at, frame) && frame.size_bytes > 0) {
        at += frame.size_bytes;
        if (frame.part != Part::kWhole && frame.part != Part::kLast) continue;
        records.push_back(bytes.substr(begin, at - begin));
        begin = at;
    }
    if (begin < bytes.size()) records.push_back(bytes.substr(begin));
    return records;
}

Result<bool> RecordBlockReader::Next(EntryVector<char>& block) {
    if (source_ == nullptr) source_ = TRY(ByteSource::Open(file_));
    block.clear();
    block.swap(carry_);
    offset_ = next_offset_;
    std::size_t size = block.size();
    std::size_t whole = 0;
    while (whole == 0) {
        if (size > kRecordBytesMax) {
            return Error(ErrorCode::kResourceLimit, fmt::format("{}, byte {}: a record is longer than {} bytes",
                                                                file_.name, offset_, kRecordBytesMax));
        }
        block.resize(std::max(2 * size, kRecordBlockBytes));
        std::size_t got = 1;
        while (got > 0 && size < block.size()) {
            got = TRY(source_->Read(block.data() + size, block.size() - size, bytes_read_));
            size += got;
        }
        whole = got > 0 ? WholeRecordsSize({block.data(), size}) : size;
        if (got == 0) break;
    }
    const auto end_of_records = block.begin() + static_cast<std::ptrdiff_t>(whole);
    carry_.assign(end_of_records, block.begin() + static_cast<std::ptrdiff_t>(size));
    block.resize(whole);
    next_offset_ = offset_ + whole;
    return whole > 0;
}

std::optional<TextIssue> ParseRecordIoBlock(std::string_view bytes, const RecordIoRules& rules, LabeledRows& rows) {
    RecordReader reader(rules, rows);
    std::string joined;      // of a record that was cut over several frames
    std::size_t begin = 0;   // of the record
    bool in_record = false;  // between its first and its last frame
    for (std::size_t at = 0; at < bytes.size();) {
        Frame frame;
        if (!ReadFrame(bytes, at, frame)) {
            return TextIssue{at, std::string("this is no RecordIO frame: it does not begin with 0xCED7230A.") + kMend};
        }
        if (frame.size_bytes == 0) return TextIssue{at, "the file ends within a record: it was cut. Send it again."};
        const bool continues = frame.part == Part::kMiddle || frame.part == Part::kLast;
        if (continues != in_record) {
            return TextIssue{at, "a part of a record stands without its others: the file was cut or put together."};
        }
        if (!in_record) begin = at;
        at += frame.size_bytes;
        std::string_view record = frame.payload;
        if (frame.part != Part::kWhole) {
            // The writer cut at a magic number and left it out.
            if (in_record) joined.append(reinterpret_cast<const char*>(&kMagic), sizeof kMagic);
            if (!in_record) joined.clear();
            joined += frame.payload;
            in_record = frame.part != Part::kLast;
            if (in_record) continue;
            record = joined;
        }
        if (auto message = reader.Append(record)) return TextIssue{begin, std::move(*message)};
    }
    if (in_record) return TextIssue{begin, "the file ends within a record: it was cut. Send it again."};
    return std::nullopt;
}

namespace {

Result<void> LoadRecordIoFile(const DataFile& file, const RecordIoRules& rules,
                              const std::function<Result<void>(LabeledRows&& block)>& consume) {
    RecordBlockReader reader(file);
    EntryVector<char> bytes;
    std::uint64_t num_rows = 0;
    while (TRY(reader.Next(bytes))) {
        LabeledRows block;
        if (auto issue = ParseRecordIoBlock({bytes.data(), bytes.size()}, rules, block)) {
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("{}, record {} (byte {}): {}", file.name, num_rows + block.rows.num_rows() + 1,
                                     reader.offset() + issue->offset, issue->message));
        }
        num_rows += block.rows.num_rows();
        if (block.rows.num_rows() > 0) TRY(consume(std::move(block)));
    }
    return {};
}

}  // namespace

Result<void> LoadRecordIoBlocks(std::span<const DataFile> files, const RecordIoRules& rules,
                                const std::function<Result<void>(LabeledRows&& block)>& consume) {
    for (const DataFile& file : files) TRY(LoadRecordIoFile(file, rules, consume));
    return {};
}

Result<void> ParseRecordIoRequest(std::string_view body, LabeledRows& rows) {
    rows.Clear();
    const RecordIoRules rules{.labeled = false};
    if (auto issue = ParseRecordIoBlock(body, rules, rows)) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("record {} (byte {}): {}", rows.rows.num_rows() + 1, issue->offset, issue->message));
    }
    return {};
}

void AppendRecordIoFrame(std::string& out, std::string_view payload) {
    const std::uint32_t head[2] = {kMagic, static_cast<std::uint32_t>(payload.size())};
    out.append(reinterpret_cast<const char*>(head), sizeof head);
    out += payload;
    out.append((4 - payload.size() % 4) % 4, '\0');
}

}  // namespace espalier::data
