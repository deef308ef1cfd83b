// What the benchmarks measure inside a process: prediction without a parser or a socket, and what the machine allows.
// Each command prints one JSON object, `kernels` a table. `./dev bench` runs it; nothing else does.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "data/feature_rows.h"
#include "engine/kernel_cases.h"
#include "engine/npy_file.h"
#include "engine/timing.h"
#include "kernels/simd_targets.h"
#include "model/explainer.h"
#include "model/open_model.h"
#include "model/predictor.h"

namespace espalier::bench {
namespace {

struct Options {
    std::string model;
    std::string rows;
    std::string output;
    int threads = 2;
    int repeats = 7;
    std::size_t count = 1000;
};

/// Runs part(0) … part(threads - 1) at once and waits for all.
void InThreads(int threads, const std::function<void(std::size_t)>& part) {
    std::vector<std::jthread> team;
    for (int i = 1; i < threads; ++i) team.emplace_back([&part, i] { part(static_cast<std::size_t>(i)); });
    part(0);
}

/// Rows [begin, end) as a request gives them: every value present.
data::FeatureRows RowsOf(const Matrix& matrix, std::size_t begin, std::size_t end) {
    data::FeatureRows rows;
    rows.num_features = static_cast<std::uint32_t>(matrix.num_columns);
    for (std::size_t row = begin; row < end; ++row) {
        for (std::size_t column = 0; column < matrix.num_columns; ++column) {
            const float value = matrix.values[row * matrix.num_columns + column];
            if (std::isnan(value)) continue;
            rows.feature_idx.push_back(static_cast<std::uint32_t>(column));
            rows.values.push_back(value);
        }
        rows.row_offsets.push_back(rows.values.size());
    }
    return rows;
}

Result<void> WriteFloats(const std::string& path, const std::vector<float>& values) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(values.data()),
               static_cast<std::streamsize>(values.size() * sizeof(float)));
    file.close();
    if (!file) return Error(ErrorCode::kIo, "cannot write " + path);
    return {};
}

/// Rows a second of one batch, split over the threads.
Result<void> PredictBatch(const Options& options) {
    const auto predictor = TRY(model::Predictor::Create(TRY(model::OpenModel(options.model)).ensemble));
    const Matrix matrix = TRY(ReadNpy(options.rows));
    const std::size_t num_parts = static_cast<std::size_t>(options.threads);
    std::vector<data::FeatureRows> parts;
    for (std::size_t i = 0; i < num_parts; ++i) {
        parts.push_back(RowsOf(matrix, matrix.num_rows * i / num_parts, matrix.num_rows * (i + 1) / num_parts));
    }
    std::vector<std::vector<float>> outputs(num_parts);
    const double seconds = BestSecondsOf(options.repeats, [&] {
        InThreads(options.threads, [&](std::size_t i) { predictor->PredictInto(parts[i], outputs[i]); });
    });
    std::vector<float> all;
    for (const std::vector<float>& part : outputs) all.insert(all.end(), part.begin(), part.end());
    fmt::print("{{\"rows_per_second\": {:.1f}}}\n", static_cast<double>(matrix.num_rows) / seconds);
    return WriteFloats(options.output, all);
}

/// Microseconds of single rows: row after row, as requests come, never the same one twice in succession.
Result<void> PredictOne(const Options& options) {
    const auto predictor = TRY(model::Predictor::Create(TRY(model::OpenModel(options.model)).ensemble));
    const Matrix matrix = TRY(ReadNpy(options.rows));
    constexpr std::size_t kRows = 256;
    std::vector<data::FeatureRows> rows;
    for (std::size_t i = 0; i < std::min(kRows, matrix.num_rows); ++i) rows.push_back(RowsOf(matrix, i, i + 1));
    std::vector<float> output;
    std::vector<double> micros;
    for (int repeat = 0; repeat < options.repeats * 10; ++repeat) {
        for (const data::FeatureRows& row : rows) {
            micros.push_back(1e6 * SecondsOf([&] { predictor->PredictInto(row, output); }));
        }
    }
    std::sort(micros.begin(), micros.end());
    fmt::print("{{\"p50_us\": {:.3f}, \"p99_us\": {:.3f}}}\n", micros[micros.size() / 2],
               micros[micros.size() * 99 / 100]);
    return {};
}

/// Rows a second of TreeSHAP over the first --count rows, split over the threads; once, as it takes long.
Result<void> ExplainBatch(const Options& options) {
    const model::OpenedModel opened = TRY(model::OpenModel(options.model));
    const auto explainer = TRY(model::Explainer::Create(opened.ensemble));
    const Matrix matrix = TRY(ReadNpy(options.rows));
    const std::size_t num_rows = std::min(options.count, matrix.num_rows);
    const auto num_parts = static_cast<std::size_t>(options.threads);
    const std::size_t width = explainer->contributions_per_row();
    std::vector<float> contributions(num_rows * width);
    std::vector<data::FeatureRows> parts;
    for (std::size_t i = 0; i < num_parts; ++i) {
        parts.push_back(RowsOf(matrix, num_rows * i / num_parts, num_rows * (i + 1) / num_parts));
    }
    const double seconds = SecondsOf([&] {
        InThreads(options.threads, [&](std::size_t i) {
            explainer->Contributions(
                parts[i],
                std::span(contributions).subspan(num_rows * i / num_parts * width, parts[i].num_rows() * width));
        });
    });
    fmt::print("{{\"rows_per_second\": {:.1f}}}\n", static_cast<double>(num_rows) / seconds);
    return WriteFloats(options.output, contributions);
}

/// Bytes a second that all threads together read from memory.
double ReadBandwidth(int threads, int repeats) {
    constexpr std::size_t kWords = (256U << 20) / sizeof(std::uint64_t);
    const std::vector<std::uint64_t> memory(kWords, 1);
    std::vector<std::uint64_t> sums(static_cast<std::size_t>(threads) * 8);
    const double seconds = BestSecondsOf(repeats, [&] {
        InThreads(threads, [&](std::size_t part) {
            const std::size_t begin = kWords * part / static_cast<std::size_t>(threads);
            const std::size_t end = kWords * (part + 1) / static_cast<std::size_t>(threads);
            std::uint64_t lanes[8] = {};
            for (std::size_t i = begin; i + 8 <= end; i += 8) {
                for (std::size_t lane = 0; lane < 8; ++lane) lanes[lane] += memory[i + lane];
            }
            for (std::size_t lane = 0; lane < 8; ++lane) sums[part * 8 + lane] = lanes[lane];
        });
    });
    return sums[0] == 0 ? 0 : static_cast<double>(kWords * sizeof(std::uint64_t)) / seconds;
}

/// Additions a second into histograms of 28 features x 256 cells of 8 bytes, which lie in the first two caches.
double HistogramUpdates(int threads, int repeats) {
    constexpr std::size_t kRows = 200'000;
    constexpr std::size_t kColumns = 28;
    std::vector<std::uint16_t> cells(kRows * kColumns);
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        state = state * 1664525U + 1013904223U;
        cells[i] = static_cast<std::uint16_t>((i % kColumns) * 256 + (state >> 24));
    }
    std::vector<std::vector<std::int64_t>> histograms(static_cast<std::size_t>(threads),
                                                      std::vector<std::int64_t>(kColumns * 256));
    const double seconds = BestSecondsOf(repeats, [&] {
        InThreads(threads, [&](std::size_t part) {
            std::int64_t* histogram = histograms[part].data();
            for (std::size_t row = 0; row < kRows; ++row) {
                const std::uint16_t* row_cells = cells.data() + row * kColumns;
                const auto gradient = static_cast<std::int64_t>(row);
                for (std::size_t column = 0; column < kColumns; ++column) histogram[row_cells[column]] += gradient;
            }
        });
    });
    return static_cast<double>(kRows * kColumns) * threads / seconds;
}

/// A table: a line a kernel, a column an instruction set.
Result<void> Kernels(const Options& options) {
    const std::vector<std::string> names = kernels::SimdNames();
    const std::vector<KernelTimes> all = TRY(TimeKernels(names, options.repeats));
    fmt::print("| kernel | ns a |");
    for (const std::string& name : names) fmt::print(" {} |", name);
    fmt::print("\n|---|---|");
    for (std::size_t i = 0; i < names.size(); ++i) fmt::print("---:|");
    fmt::print("\n");
    for (const KernelTimes& times : all) {
        fmt::print("| {} | {} |", times.kernel, times.piece);
        for (const double nanos : times.nanos) fmt::print(" {:.3g} |", nanos);
        fmt::print("\n");
    }
    return {};
}

Result<void> Hardware(const Options& options) {
    fmt::print("{{\"read_bytes_per_second\": {:.0f}, \"histogram_updates_per_second\": {:.0f}}}\n",
               ReadBandwidth(options.threads, options.repeats), HistogramUpdates(options.threads, options.repeats));
    return {};
}

}  // namespace
}  // namespace espalier::bench

int main(int argc, char** argv) {
    using namespace espalier;
    using namespace espalier::bench;
    CLI::App app("what ./dev bench measures inside a process");
    app.require_subcommand(1);
    Options options;
    int exit_code = 0;
    const auto add = [&](const char* name, const char* what, Result<void> (*command)(const Options&), bool with_model) {
        CLI::App* sub = app.add_subcommand(name, what);
        sub->add_option("--threads", options.threads)->check(CLI::Range(1, 256));
        sub->add_option("--repeats", options.repeats)->check(CLI::Range(1, 10'000));
        if (with_model) sub->add_option("--model", options.model)->required();
        if (with_model) sub->add_option("--rows", options.rows)->required();
        if (with_model) sub->add_option("--output", options.output);
        if (with_model) sub->add_option("--count", options.count, "rows of `contributions`");
        sub->callback([&, command] {
            const Result<void> done = command(options);
            if (!done) fmt::print(stderr, "espalier-bench: {}\n", done.error().ToString());
            exit_code = done ? 0 : 1;
        });
    };
    add("predict", "rows a second of a batch; writes the predictions to --output", PredictBatch, true);
    add("predict-one", "microseconds of one row", PredictOne, true);
    add("contributions", "rows a second of TreeSHAP; writes the contributions to --output", ExplainBatch, true);
    add("kernels", "nanoseconds of each kernel on each instruction set", Kernels, false);
    add("hardware", "read bandwidth and histogram updates a second", Hardware, false);
    CLI11_PARSE(app, argc, argv);
    return exit_code;
}
