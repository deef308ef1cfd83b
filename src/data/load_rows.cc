#include "data/load_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "data/csv.h"
#include "data/libsvm.h"
#include "data/recordio.h"
#include "data/text_blocks.h"
#include "data/text_issue.h"

namespace espalier::data {
namespace {

// Reads the file again up to `offset` (of the unpacked text): only messages need lines and columns.
TextPlace FindPlaceInFile(const DataFile& file, std::uint64_t offset) {
    TextBlockReader reader(std::span(&file, 1));
    TextBlock block;
    TextPlace place;
    for (;;) {
        Result<bool> more = reader.Next(block);
        if (!more || !*more) return place;
        std::uint64_t end = block.file_offset + block.text.size();
        if (offset < end) return FindPlace(block.text.view(), offset - block.file_offset, place);
        place = FindPlace(block.text.view(), block.text.size(), place);
    }
}

bool OnFirstLine(std::string_view text, std::size_t offset) {
    std::size_t begin = text.find_first_not_of(" \t\r\n");
    return begin != std::string_view::npos && text.find_first_of("\r\n", begin) >= offset;
}

bool Contains(std::string_view text, char c) {
    return text.find(c) != std::string_view::npos;
}

// When the very first line is wrong, the file is rarely a typing error: the images' own sentences for a wrong format.
std::string DescribeFirstLine(const DataFile& file, InputFormat format, std::string_view text, std::size_t offset) {
    std::string line = LineStart(text, offset);
    if (format == InputFormat::kLibsvm) {
        if (Contains(line, ':')) return {};
        return fmt::format(
            "First line '{}...' of file '{}' is not 'LIBSVM' format. Please ensure the file is in 'LIBSVM' "
            "format. ",
            line, file.name);
    }
    if (Contains(line, ' ') && Contains(line, ':') && !Contains(line, ',')) {
        return fmt::format(
            "Blankspace and colon found in firstline '{}...' of file '{}'. Please ensure the file is in csv "
            "format. ",
            line, file.name);
    }
    auto letter = std::find_if(line.begin(), line.end(), [](char c) {
        return (c >= 'a' && c <= 'z' && c != 'e') || (c >= 'A' && c <= 'Z' && c != 'E');
    });
    if (letter == line.end()) return {};
    return fmt::format(
        "Non-numeric value '{}' found in the header line '{}...' of file '{}'. CSV format require no header line "
        "in it. If header line is already removed, XGBoost does not accept non-numeric value in the data. ",
        *letter, line, file.name);
}

// One load: the state its threads share.
class Loader {
  public:
    Loader(std::span<const DataFile> files, const LoadOptions& options, LoadReport& report,
           const std::function<Result<void>(LabeledRows&&)>& consume)
        : files_(files), options_(options), report_(report), consume_(consume), reader_(files) {
        libsvm_.feature_idx_max = options.feature_idx_max;
        csv_.weights = options.csv_weights;
    }

    Result<void> Run() {
        TRY(Prepare());
        {
            std::vector<std::jthread> threads;
            int num_threads = std::clamp(options_.num_threads, 1, kLoadThreadsMax);
            for (int i = 1; i < num_threads; ++i) threads.emplace_back([this] { Work(); });
            Work();
        }
        if (error_) return std::move(*error_);
        if (text_cells_.count > 0) DescribeTextCells();
        return {};
    }

  private:
    // Finds the first block with a row and learns from its first row what all rows look like.
    Result<void> Prepare() {
        for (;;) {
            if (!TRY(reader_.Next(first_block_))) {
                reading_done_ = true;
                return {};
            }
            if (options_.format == InputFormat::kLibsvm) {
                if (SniffLibsvmRules(first_block_.text, libsvm_)) break;
            } else if (CountCsvColumns(first_block_.text.view(), ',') > 0) {
                TRY(PrepareCsv());
                break;
            }
        }
        have_first_block_ = true;
        return {};
    }

    Result<void> PrepareCsv() {
        const DataFile& file = files_[first_block_.file_idx];
        csv_.delimiter = TRY_MSG(DetermineCsvDelimiter(first_block_.text.view()), file.name);
        csv_.num_columns = CountCsvColumns(first_block_.text.view(), csv_.delimiter);
        report_.csv_delimiter = csv_.delimiter;
        std::uint32_t columns_min = !options_.labeled ? 1 : (csv_.weights ? 3 : 2);
        if (csv_.num_columns < columns_min) {
            return Error(
                ErrorCode::kInvalidArgument,
                fmt::format("{}: Delimiter '{}' is not found often enough in the line '{}'. Expected '{}' as the "
                            "delimiter to separate fields: a line needs a label,{} and at least one feature.",
                            file.name, csv_.delimiter, LineStart(FirstDataLine(), 0), csv_.delimiter,
                            csv_.weights ? " a weight" : ""));
        }
        return {};
    }

    std::string_view FirstDataLine() const {
        std::string_view text = first_block_.text.view();
        return text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    }

    void Work() {
        TextBlock block;
        LabeledRows rows;
        for (;;) {
            std::uint64_t number = 0;
            std::uint64_t bytes_read = 0;
            std::optional<Error> error;
            {
                std::lock_guard lock(read_mutex_);
                if (!TakeBlock(block, error)) return;
                number = num_taken_++;
                bytes_read = reader_.bytes_read();
            }
            rows.Clear();
            CsvTextCells text_cells;
            if (!error) {
                std::optional<TextIssue> issue = Parse(block.text, rows, text_cells);
                if (issue) error = Describe(block, *issue);
            }
            if (!Deliver(number, bytes_read, std::move(error), block, rows, text_cells)) return;
        }
    }

    std::optional<TextIssue> Parse(PaddedText text, LabeledRows& rows, CsvTextCells& text_cells) const {
        if (options_.format == InputFormat::kLibsvm) {
            return options_.labeled ? ParseLibsvmBlock(text, libsvm_, rows)
                                    : ParseUnlabeledLibsvmBlock(text, libsvm_, rows.rows);
        }
        return options_.labeled ? ParseCsvBlock(text, csv_, rows, text_cells)
                                : ParseUnlabeledCsvBlock(text, csv_, rows.rows);
    }

    // False when there is no block left. A failed read is a block too: its turn decides which error is the first.
    bool TakeBlock(TextBlock& block, std::optional<Error>& error) {
        if (have_first_block_) {
            have_first_block_ = false;
            std::swap(block, first_block_);
            return true;
        }
        if (reading_done_) return false;
        Result<bool> more = reader_.Next(block);
        if (!more) error = std::move(more).error();
        reading_done_ = !more || !*more;
        return !more || *more;
    }

    // In the order of the blocks; false when the load has ended with an error.
    bool Deliver(std::uint64_t number, std::uint64_t bytes_read, std::optional<Error> error, const TextBlock& block,
                 LabeledRows& rows, const CsvTextCells& text_cells) {
        std::unique_lock lock(deliver_mutex_);
        turn_.wait(lock, [&] { return error_.has_value() || num_delivered_ == number; });
        if (error_) return false;
        if (text_cells.count > 0 && text_cells_.count == 0) {
            text_cell_file_idx_ = block.file_idx;
            text_cell_offset_ = block.file_offset + text_cells.first_offset;
        }
        text_cells_.count += text_cells.count;
        if (!error && rows.rows.num_rows() > 0) {
            Result<void> consumed = consume_(std::move(rows));
            if (!consumed) error = std::move(consumed).error();
        }
        if (!error && options_.on_progress) options_.on_progress(bytes_read);
        if (error) {
            error_ = std::move(error);
            std::lock_guard read_lock(read_mutex_);
            reading_done_ = true;
            have_first_block_ = false;
        }
        ++num_delivered_;
        turn_.notify_all();
        return !error_;
    }

    Error Describe(const TextBlock& block, const TextIssue& issue) const {
        const DataFile& file = files_[block.file_idx];
        TextPlace place = FindPlaceInFile(file, block.file_offset + issue.offset);
        std::string first_line;
        if (block.first_in_file && OnFirstLine(block.text.view(), issue.offset)) {
            first_line = DescribeFirstLine(file, options_.format, block.text.view(), issue.offset);
        }
        return Error(ErrorCode::kInvalidArgument, fmt::format("{}{}, line {}, column {}: {}", first_line, file.name,
                                                              place.line, place.column, issue.message));
    }

    void DescribeTextCells() {
        const DataFile& file = files_[text_cell_file_idx_];
        TextPlace place = FindPlaceInFile(file, text_cell_offset_);
        report_.warnings.push_back(fmt::format(
            "{} cells hold text instead of a number and count as missing; the first is in {}, line {}, column {}.",
            text_cells_.count, file.name, place.line, place.column));
    }

    std::span<const DataFile> files_;
    const LoadOptions& options_;
    LoadReport& report_;
    const std::function<Result<void>(LabeledRows&&)>& consume_;
    LibsvmRules libsvm_;
    CsvRules csv_;

    std::mutex read_mutex_;  // may be taken while deliver_mutex_ is held, never the other way round
    TextBlockReader reader_;
    TextBlock first_block_;
    bool have_first_block_ = false;
    bool reading_done_ = false;
    std::uint64_t num_taken_ = 0;

    std::mutex deliver_mutex_;
    std::condition_variable turn_;
    std::uint64_t num_delivered_ = 0;
    std::optional<Error> error_;
    CsvTextCells text_cells_;
    std::size_t text_cell_file_idx_ = 0;
    std::uint64_t text_cell_offset_ = 0;
};

// Room for what the whole load will need, judged by what the part so far did: growing by doubling would need three
// times the memory for a moment. Memory reserved but never written costs nothing.
template <typename Vector>
void ReserveForAll(Vector& all, std::size_t more, double part_read) {
    std::size_t needed = all.size() + more;
    if (needed <= all.capacity()) return;
    double estimate = static_cast<double>(needed) / std::clamp(part_read, 0.001, 1.0) * 1.02;
    all.reserve(std::max(needed + needed / 8, static_cast<std::size_t>(estimate)));
}

template <typename Vector>
void Append(Vector& all, const Vector& part, double part_read) {
    ReserveForAll(all, part.size(), part_read);
    all.insert(all.end(), part.begin(), part.end());
}

}  // namespace

Result<void> LoadRowBlocks(std::span<const DataFile> files, const LoadOptions& options, LoadReport& report,
                           const std::function<Result<void>(LabeledRows&& block)>& consume) {
    if (options.format == InputFormat::kParquet) {
        return LoadParquetBlocks(files, {options.parquet_columns, options.labeled}, consume);
    }
    if (options.format == InputFormat::kRecordIo) {
        return LoadRecordIoBlocks(files, {options.labeled, options.feature_idx_max}, consume);
    }
    return Loader(files, options, report, consume).Run();
}

Result<LabeledRows> LoadRows(std::span<const DataFile> files, const LoadOptions& options, LoadReport& report) {
    double bytes_total = 1;
    for (const DataFile& file : files) bytes_total += static_cast<double>(file.size_bytes);
    double bytes_seen = 0;
    LoadOptions own = options;
    own.on_progress = [&](std::uint64_t bytes_read) {
        bytes_seen = static_cast<double>(bytes_read);
        if (options.on_progress) options.on_progress(bytes_read);
    };
    LabeledRows all;
    TRY(LoadRowBlocks(files, own, report, [&](LabeledRows&& block) -> Result<void> {
        // bytes_seen is of the block before; this one is about kTextBlockBytes further.
        double part_read = (bytes_seen + static_cast<double>(kTextBlockBytes)) / bytes_total;
        FeatureRows& rows = all.rows;
        std::uint64_t base = rows.num_entries();
        Append(rows.feature_idx, block.rows.feature_idx, part_read);
        Append(rows.values, block.rows.values, part_read);
        ReserveForAll(rows.row_offsets, block.rows.num_rows(), part_read);
        for (std::size_t row = 1; row <= block.rows.num_rows(); ++row) {
            rows.row_offsets.push_back(base + block.rows.row_offsets[row]);
        }
        rows.num_features = std::max(rows.num_features, block.rows.num_features);
        Append(all.labels, block.labels, part_read);
        Append(all.weights, block.weights, part_read);
        Append(all.query_ids, block.query_ids, part_read);
        return {};
    }));
    return all;
}

}  // namespace espalier::data
