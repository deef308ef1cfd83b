// Rows of libsvm and CSV files, piece by piece, with errors that say file, line and column.
//
// The first row decides for all files: the CSV delimiter and the number of columns, or whether libsvm rows have weights
// and queries. Next is for one thread at a time; Parse and ParseUnlabeled are thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "base/result.h"
#include "data/csv.h"
#include "data/libsvm.h"
#include "data/row_source.h"

namespace espalier::data {

class TextRows final : public RowSource {
  public:
    /// labeled: training rows; else rows to predict, whose labels are skipped if there.
    static Result<std::unique_ptr<TextRows>> Create(std::span<const DataFile> files, const LoadOptions& options,
                                                    bool labeled);

    Result<bool> Next(TextBlock& piece) override;
    Result<void> Parse(const TextBlock& piece, RowBlock& rows) override;
    Result<void> ParseUnlabeled(const TextBlock& piece, FeatureRows& rows) const;
    void Close(LoadReport& report) override;

  private:
    TextRows(std::span<const DataFile> files, const LoadOptions& options, bool labeled);
    Result<void> FindFirstRow();
    Result<void> LearnCsv(const TextBlock& piece);
    void Count(const TextBlock& piece, const CsvTextCells& cells);
    Error Describe(const TextBlock& piece, const TextIssue& issue) const;

    const std::span<const DataFile> files_;
    const LoadOptions& options_;
    const bool labeled_;
    LibsvmRules libsvm_;
    CsvRules csv_;
    TextBlockReader reader_;
    std::optional<TextBlock> first_piece_;  // read already, to learn from

    std::mutex text_cells_mutex_;
    std::uint64_t num_text_cells_ = 0;
    std::size_t text_cell_file_ = 0;  // of the first one
    std::uint64_t text_cell_offset_ = 0;
};

}  // namespace espalier::data
