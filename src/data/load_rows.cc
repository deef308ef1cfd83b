#include "data/load_rows.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "data/block_pipeline.h"
#include "data/parquet.h"
#include "data/recordio.h"
#include "data/row_source.h"
#include "data/text_rows.h"

namespace espalier::data {
namespace {

/// What a thread needs to make blocks of training rows; reused from block to block.
struct Workplace {
    explicit Workplace(ValueDictionary& dictionary) : encoder(dictionary) {}
    RowBlock rows;
    CompactEncoder encoder;
};

/// One piece's training rows.
struct MadeRows {
    CompactBlock block;
    std::vector<float> labels;
    std::vector<float> weights;
    std::vector<std::uint64_t> query_ids;
};

template <typename T>
void Append(std::vector<T>& all, const std::vector<T>& part) {
    all.insert(all.end(), part.begin(), part.end());
}

/// Confined to one load; `take` runs one call at a time.
class RowGatherer {
  public:
    RowGatherer(const LoadOptions& options, std::size_t num_files) : options_(options), rows_of_file_(num_files, 0) {}

    Result<void> Take(MadeRows&& made, std::size_t file_idx) {
        if (made.labels.empty()) return {};
        rows_of_file_[file_idx] += made.labels.size();
        bytes_ += made.block.size_bytes;
        TRY(all.rows.Append(std::move(made.block)));
        Append(all.labels, made.labels);
        Append(all.weights, made.weights);
        Append(all.query_ids, made.query_ids);
        if (options_.memory_bytes_max > 0 && bytes_ > options_.memory_bytes_max && !all.rows.spills()) {
            TRY(all.rows.SpillTo(options_.spill_folder));
        }
        return {};
    }

    std::vector<std::uint64_t> TakeRowsOfFile() { return std::move(rows_of_file_); }

    TrainingRows all;

  private:
    const LoadOptions& options_;
    std::vector<std::uint64_t> rows_of_file_;
    std::size_t bytes_ = 0;
};

using ConsumeLabeled = std::function<Result<void>(LabeledRows&& block)>;

/// The formats whose readers hand over blocks by themselves.
bool ReadsItself(InputFormat format) {
    return format == InputFormat::kParquet || format == InputFormat::kRecordIo;
}

Result<void> ReadBlocks(std::span<const DataFile> files, const LoadOptions& options, bool labeled,
                        const ConsumeLabeled& consume) {
    if (options.format == InputFormat::kParquet) {
        return LoadParquetBlocks(files, {options.parquet_columns, labeled}, consume);
    }
    return LoadRecordIoBlocks(files, {labeled, options.feature_idx_max}, consume);
}

/// File by file, to know how many rows each has.
Result<TrainingRows> GatherBlocks(std::span<const DataFile> files, const LoadOptions& options, LoadReport& report) {
    RowGatherer gatherer(options, files.size());
    CompactEncoder encoder(gatherer.all.rows.dictionary());
    for (std::size_t file = 0; file < files.size(); ++file) {
        TRY(ReadBlocks(files.subspan(file, 1), options, true, [&](LabeledRows&& block) {
            const RowBlock rows = MakeRowBlock(block);
            if (options.mark != nullptr) options.mark->Move();
            return gatherer.Take({encoder.Encode(rows), rows.labels, rows.weights, rows.query_ids}, file);
        }));
    }
    report.rows_of_file = gatherer.TakeRowsOfFile();
    return std::move(gatherer.all);
}

}  // namespace

Result<std::unique_ptr<RowSource>> MakeRowSource(std::span<const DataFile> files, const LoadOptions& options) {
    return std::unique_ptr<RowSource>(TRY(TextRows::Create(files, options, true)));
}

Result<TrainingRows> LoadRows(std::span<const DataFile> files, const LoadOptions& options, LoadReport& report) {
    if (ReadsItself(options.format)) return GatherBlocks(files, options, report);
    const auto source = TRY(MakeRowSource(files, options));
    const int num_threads = std::clamp(options.num_threads, 1, kLoadThreadsMax);
    RowGatherer gatherer(options, files.size());
    std::vector<std::unique_ptr<Workplace>> workplaces;
    for (int i = 0; i < num_threads; ++i) {
        workplaces.push_back(std::make_unique<Workplace>(gatherer.all.rows.dictionary()));
    }
    BlockPipeline<MadeRows> pipeline({.read = [&](TextBlock& piece) { return source->Next(piece); },
                                      .make = [&](const TextBlock& piece, int worker) -> Result<MadeRows> {
                                          Workplace& workplace = *workplaces[static_cast<std::size_t>(worker)];
                                          workplace.rows.Clear();
                                          TRY(source->Parse(piece, workplace.rows));
                                          return MadeRows{workplace.encoder.Encode(workplace.rows),
                                                          workplace.rows.labels, workplace.rows.weights,
                                                          workplace.rows.query_ids};
                                      },
                                      .take = [&](MadeRows&& made, const TextBlock& piece) -> Result<void> {
                                          TRY(gatherer.Take(std::move(made), piece.file_idx));
                                          if (options.mark != nullptr) options.mark->Move();
                                          if (options.on_progress) options.on_progress(piece.bytes_read);
                                          return {};
                                      }});
    TRY(pipeline.Run(num_threads));
    source->Close(report);
    report.rows_of_file = gatherer.TakeRowsOfFile();
    return std::move(gatherer.all);
}

Result<void> LoadRowBlocks(std::span<const DataFile> files, const LoadOptions& options, LoadReport& report,
                           const std::function<Result<void>(const FeatureRows& block)>& consume) {
    if (ReadsItself(options.format)) {
        return ReadBlocks(files, options, options.labeled,
                          [&](LabeledRows&& block) -> Result<void> { return consume(block.rows); });
    }
    const bool skips_labels = options.labeled && options.format == InputFormat::kCsv;
    const auto source = TRY(TextRows::Create(files, options, skips_labels));
    const int num_threads = std::clamp(options.num_threads, 1, kLoadThreadsMax);
    struct Rows {
        FeatureRows features;
        RowBlock labeled;
    };
    std::vector<Rows> of_worker(static_cast<std::size_t>(num_threads));
    BlockPipeline<const FeatureRows*> pipeline(
        {.read = [&](TextBlock& piece) { return source->Next(piece); },
         .make = [&](const TextBlock& piece, int worker) -> Result<const FeatureRows*> {
             Rows& own = of_worker[static_cast<std::size_t>(worker)];
             own.features.Clear();
             if (skips_labels) {
                 own.labeled.Clear();
                 TRY(source->Parse(piece, own.labeled));
                 own.labeled.ListFeatures();
                 Expand(ViewOf(own.labeled), ValueDictionary(), own.features);
                 own.features.num_features = own.labeled.num_features;
             } else {
                 TRY(source->ParseUnlabeled(piece, own.features));
             }
             return &own.features;
         },
         .take = [&](const FeatureRows*&& block, const TextBlock& piece) -> Result<void> {
             if (block->num_rows() > 0) TRY(consume(*block));
             if (options.on_progress) options.on_progress(piece.bytes_read);
             return {};
         }});
    TRY(pipeline.Run(num_threads));
    source->Close(report);
    return {};
}

}  // namespace espalier::data
