// The library behind data/parquet.cc: the only file that sees Arrow.
#include <arrow/api.h>
#include <arrow/util/decimal.h>
#include <arrow/util/float16.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "data/parquet_plugin.h"

namespace espalier::data {
namespace {

constexpr std::int64_t kBlockValues = std::int64_t{1} << 20;

Error Damaged(const DataFile& file, const std::string& what) {
    return Error(ErrorCode::kCorruptData, fmt::format("Failed to load parquet data with exception:\n{}: {}. Is it a "
                                                      "Parquet file, and was it sent whole?",
                                                      file.name, what));
}

/// Any fixed number of a column of `Array` as float32.
template <typename Array>
void CopyNumbers(const arrow::Array& array, float* out, std::int64_t stride) {
    const auto& numbers = static_cast<const Array&>(array);
    for (std::int64_t i = 0; i < numbers.length(); ++i) {
        out[i * stride] =
            numbers.IsNull(i) ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(numbers.Value(i));
    }
}

void CopyHalves(const arrow::Array& array, float* out, std::int64_t stride) {
    const auto& halves = static_cast<const arrow::HalfFloatArray&>(array);
    for (std::int64_t i = 0; i < halves.length(); ++i) {
        out[i * stride] = halves.IsNull(i) ? std::numeric_limits<float>::quiet_NaN()
                                           : arrow::util::Float16::FromBits(halves.Value(i)).ToFloat();
    }
}

template <typename Array, typename Decimal>
void CopyDecimals(const arrow::Array& array, float* out, std::int64_t stride) {
    const auto& decimals = static_cast<const Array&>(array);
    const int scale = static_cast<const arrow::DecimalType&>(*array.type()).scale();
    for (std::int64_t i = 0; i < decimals.length(); ++i) {
        out[i * stride] = decimals.IsNull(i) ? std::numeric_limits<float>::quiet_NaN()
                                             : static_cast<float>(Decimal(decimals.GetValue(i)).ToDouble(scale));
    }
}

/// out[i * stride] = value i. False for a type that is no number.
bool CopyColumn(const arrow::Array& array, float* out, std::int64_t stride) {
    switch (array.type_id()) {
        case arrow::Type::BOOL:
            CopyNumbers<arrow::BooleanArray>(array, out, stride);
            return true;
        case arrow::Type::INT8:
            CopyNumbers<arrow::Int8Array>(array, out, stride);
            return true;
        case arrow::Type::UINT8:
            CopyNumbers<arrow::UInt8Array>(array, out, stride);
            return true;
        case arrow::Type::INT16:
            CopyNumbers<arrow::Int16Array>(array, out, stride);
            return true;
        case arrow::Type::UINT16:
            CopyNumbers<arrow::UInt16Array>(array, out, stride);
            return true;
        case arrow::Type::INT32:
            CopyNumbers<arrow::Int32Array>(array, out, stride);
            return true;
        case arrow::Type::UINT32:
            CopyNumbers<arrow::UInt32Array>(array, out, stride);
            return true;
        case arrow::Type::INT64:
            CopyNumbers<arrow::Int64Array>(array, out, stride);
            return true;
        case arrow::Type::UINT64:
            CopyNumbers<arrow::UInt64Array>(array, out, stride);
            return true;
        case arrow::Type::HALF_FLOAT:
            CopyHalves(array, out, stride);
            return true;
        case arrow::Type::FLOAT:
            CopyNumbers<arrow::FloatArray>(array, out, stride);
            return true;
        case arrow::Type::DOUBLE:
            CopyNumbers<arrow::DoubleArray>(array, out, stride);
            return true;
        case arrow::Type::DECIMAL128:
            CopyDecimals<arrow::Decimal128Array, arrow::Decimal128>(array, out, stride);
            return true;
        case arrow::Type::DECIMAL256:
            CopyDecimals<arrow::Decimal256Array, arrow::Decimal256>(array, out, stride);
            return true;
        default:
            return false;
    }
}

bool IsNumber(const arrow::DataType& type) {
    return arrow::is_integer(type.id()) || arrow::is_floating(type.id()) || type.id() == arrow::Type::BOOL ||
           type.id() == arrow::Type::DECIMAL128 || type.id() == arrow::Type::DECIMAL256;
}

bool IsCategory(const arrow::DataType& type) {
    if (type.id() != arrow::Type::DICTIONARY) return false;
    const arrow::Type::type values = static_cast<const arrow::DictionaryType&>(type).value_type()->id();
    return arrow::is_base_binary_like(values) || arrow::is_integer(values) || values == arrow::Type::BOOL;
}

/// The text of entry i of a dictionary, as ParquetColumn::categories holds it.
std::string CategoryText(const arrow::Array& dictionary, std::int64_t i) {
    if (arrow::is_binary_like(dictionary.type_id())) {
        return std::string(static_cast<const arrow::BinaryArray&>(dictionary).GetView(i));
    }
    if (arrow::is_large_binary_like(dictionary.type_id())) {
        return std::string(static_cast<const arrow::LargeBinaryArray&>(dictionary).GetView(i));
    }
    return dictionary.GetScalar(i).ValueOrDie()->ToString();
}

/// One open file.
class Reader {
  public:
    explicit Reader(const DataFile& file) : file_(file) {}

    std::optional<Error> Open(std::int64_t batch_rows) {
        parquet::arrow::FileReaderBuilder builder;
        arrow::Status opened = builder.OpenFile(file_.path, true);
        if (!opened.ok()) return Damaged(file_, opened.message());
        parquet::ArrowReaderProperties properties(true);
        properties.set_batch_size(batch_rows);
        builder.properties(properties);
        opened = builder.Build(&reader_);
        if (!opened.ok()) return Damaged(file_, opened.message());
        opened = reader_->GetSchema(&schema_);
        if (!opened.ok()) return Damaged(file_, opened.message());
        return std::nullopt;
    }

    std::optional<Error> Describe(std::vector<ParquetColumn>& columns) {
        if (static_cast<std::size_t>(schema_->num_fields()) > kParquetColumnsMax) {
            return Error(ErrorCode::kResourceLimit, fmt::format("{} has {} columns; the most are {}", file_.name,
                                                                schema_->num_fields(), kParquetColumnsMax));
        }
        for (int i = 0; i < schema_->num_fields(); ++i) {
            const arrow::Field& field = *schema_->field(i);
            const bool categorical = IsCategory(*field.type());
            if (!categorical && !IsNumber(*field.type())) {
                return Error(
                    ErrorCode::kInvalidArgument,
                    fmt::format("{}, column '{}': {} cannot be a feature. Give numbers, or a dictionary column "
                                "(pandas: astype('category')).",
                                file_.name, field.name(), field.type()->ToString()));
            }
            columns.push_back({field.name(), categorical, {}});
            if (!categorical) continue;
            if (auto error = CollectCategories(i, columns.back())) return error;
        }
        return std::nullopt;
    }

    std::optional<Error> Read(const ParquetOptions& options,
                              const std::function<Result<void>(LabeledRows&& block)>& consume) {
        auto batches = reader_->GetRecordBatchReader();
        if (!batches.ok()) return Damaged(file_, batches.status().message());
        std::int64_t row = 0;
        std::shared_ptr<arrow::RecordBatch> batch;
        for (;;) {
            const arrow::Status read = (*batches)->ReadNext(&batch);
            if (!read.ok()) return Damaged(file_, read.message());
            if (batch == nullptr) return std::nullopt;
            if (auto error = Consume(*batch, row, options, consume)) return error;
            row += batch->num_rows();
        }
    }

  private:
    std::optional<Error> CollectCategories(int column, ParquetColumn& described) {
        std::shared_ptr<arrow::ChunkedArray> chunks;
        const arrow::Status read = reader_->ReadColumn(column, &chunks);
        if (!read.ok()) return Damaged(file_, read.message());
        std::set<std::string, decltype(&CategoryLess)> seen(&CategoryLess);
        const arrow::Array* last = nullptr;
        for (const auto& chunk : chunks->chunks()) {
            const arrow::Array& dictionary = *static_cast<const arrow::DictionaryArray&>(*chunk).dictionary();
            if (&dictionary == last) continue;
            last = &dictionary;
            for (std::int64_t i = 0; i < dictionary.length(); ++i) {
                if (!dictionary.IsNull(i)) seen.insert(CategoryText(dictionary, i));
            }
        }
        described.categories.assign(seen.begin(), seen.end());
        return std::nullopt;
    }

    /// Codes of a dictionary column; categories are all known, as every file was described first.
    static std::optional<std::string> CopyCodes(const arrow::DictionaryArray& array, const ParquetColumn& column,
                                                float* out, std::int64_t stride) {
        const arrow::Array& dictionary = *array.dictionary();
        std::vector<float> codes(static_cast<std::size_t>(dictionary.length()),
                                 std::numeric_limits<float>::quiet_NaN());
        for (std::int64_t i = 0; i < dictionary.length(); ++i) {
            if (dictionary.IsNull(i)) continue;
            const std::string text = CategoryText(dictionary, i);
            const auto place = std::lower_bound(column.categories.begin(), column.categories.end(), text, CategoryLess);
            if (place == column.categories.end() || *place != text) {
                return fmt::format("category '{}' was not seen when the file was first read: was it changed?", text);
            }
            codes[static_cast<std::size_t>(i)] = static_cast<float>(place - column.categories.begin());
        }
        for (std::int64_t i = 0; i < array.length(); ++i) {
            out[i * stride] = array.IsNull(i) ? std::numeric_limits<float>::quiet_NaN()
                                              : codes[static_cast<std::size_t>(array.GetValueIndex(i))];
        }
        return std::nullopt;
    }

    Error At(std::int64_t row, int column, const std::string& what) const {
        return Error(ErrorCode::kInvalidArgument, fmt::format("{}, row {}, column '{}': {}", file_.name, row + 1,
                                                              schema_->field(column)->name(), what));
    }

    std::optional<Error> Consume(const arrow::RecordBatch& batch, std::int64_t first_row, const ParquetOptions& options,
                                 const std::function<Result<void>(LabeledRows&& block)>& consume) {
        const int num_columns = batch.num_columns();
        const std::int64_t num_rows = batch.num_rows();
        values_.resize(static_cast<std::size_t>(num_columns) * static_cast<std::size_t>(num_rows));
        for (int column = 0; column < num_columns; ++column) {
            const arrow::Array& array = *batch.column(column);
            float* const out = values_.data() + column;
            if (array.type_id() == arrow::Type::DICTIONARY) {
                const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
                if (static_cast<std::size_t>(column) >= options.columns.size()) {
                    return At(first_row, column, "its categories were not read beforehand.");
                }
                const ParquetColumn& known = options.columns[static_cast<std::size_t>(column)];
                if (auto issue = CopyCodes(coded, known, out, num_columns)) return At(first_row, column, *issue);
            } else if (!CopyColumn(array, out, num_columns)) {
                return At(first_row, column, array.type()->ToString() + " cannot be a feature.");
            }
        }
        LabeledRows block;
        for (std::int64_t row = 0; row < num_rows; ++row) {
            if (auto error = AppendRow(values_.data() + row * num_columns, first_row + row, options.labeled, block)) {
                return error;
            }
        }
        Result<void> consumed = consume(std::move(block));
        if (!consumed) return std::move(consumed).error();
        return std::nullopt;
    }

    std::optional<Error> AppendRow(const float* values, std::int64_t row, bool labeled, LabeledRows& block) const {
        const int num_columns = schema_->num_fields();
        const int first_feature = labeled ? 1 : 0;
        if (labeled) {
            if (!std::isfinite(values[0])) return At(row, 0, "the label is missing or not finite.");
            block.labels.push_back(values[0]);
        }
        for (int column = first_feature; column < num_columns; ++column) {
            const float value = values[column];
            if (std::isnan(value)) continue;
            if (std::isinf(value)) return At(row, column, "the value is infinite: use null for a missing value.");
            block.rows.feature_idx.push_back(static_cast<std::uint32_t>(column - first_feature));
            block.rows.values.push_back(value);
        }
        block.rows.row_offsets.push_back(block.rows.values.size());
        block.rows.num_features = static_cast<std::uint32_t>(num_columns - first_feature);
        return std::nullopt;
    }

    const DataFile& file_;
    std::unique_ptr<parquet::arrow::FileReader> reader_;
    std::shared_ptr<arrow::Schema> schema_;
    std::vector<float> values_;  ///< [rows x columns] of a batch
};

}  // namespace

extern "C" {

std::optional<Error> EspalierDescribeParquet(const DataFile& file, std::vector<ParquetColumn>& columns) {
    try {
        Reader reader(file);
        if (auto error = reader.Open(kBlockValues)) return error;
        return reader.Describe(columns);
    } catch (const std::exception& error) {
        return Damaged(file, error.what());
    }
}

std::optional<Error> EspalierReadParquet(const DataFile& file, const ParquetOptions& options,
                                         const std::function<Result<void>(LabeledRows&& block)>& consume) {
    try {
        Reader reader(file);
        const auto num_columns = static_cast<std::int64_t>(std::max<std::size_t>(1, options.columns.size()));
        if (auto error = reader.Open(std::max<std::int64_t>(1, kBlockValues / num_columns))) return error;
        return reader.Read(options, consume);
    } catch (const std::exception& error) {
        return Damaged(file, error.what());
    }
}

}  // extern "C"

}  // namespace espalier::data
