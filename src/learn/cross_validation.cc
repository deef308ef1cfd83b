#include "learn/cross_validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>

#include "learn/random.h"

namespace espalier::learn {

namespace {

/// Rows in an order that depends on (seed, repeat) only.
std::vector<std::size_t> Shuffled(std::vector<std::size_t> rows, const DrawStream& stream) {
    std::sort(rows.begin(), rows.end(), [&](std::size_t a, std::size_t b) {
        const std::uint64_t key_a = stream.Draw(a);
        const std::uint64_t key_b = stream.Draw(b);
        return key_a != key_b ? key_a < key_b : a < b;
    });
    return rows;
}

/// How many rows of each label each fold gets: labels in order, dealt out to the folds in turn.
std::map<float, std::vector<std::size_t>> DealOut(std::span<const float> labels, std::size_t num_folds) {
    std::vector<float> sorted(labels.begin(), labels.end());
    std::sort(sorted.begin(), sorted.end());
    std::map<float, std::vector<std::size_t>> shares;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        std::vector<std::size_t>& of_folds = shares[sorted[i]];
        of_folds.resize(num_folds);
        ++of_folds[i % num_folds];
    }
    return shares;
}

void AppendRow(const data::LabeledRows& from, std::size_t row, data::LabeledRows& to) {
    const auto begin = static_cast<std::ptrdiff_t>(from.rows.row_offsets[row]);
    const auto end = static_cast<std::ptrdiff_t>(from.rows.row_offsets[row + 1]);
    to.rows.feature_idx.insert(to.rows.feature_idx.end(), from.rows.feature_idx.begin() + begin,
                               from.rows.feature_idx.begin() + end);
    to.rows.values.insert(to.rows.values.end(), from.rows.values.begin() + begin, from.rows.values.begin() + end);
    to.rows.row_offsets.push_back(to.rows.values.size());
    to.labels.push_back(from.labels[row]);
}

}  // namespace

Result<std::vector<int>> DrawFolds(std::span<const float> labels, int num_folds, bool by_label, std::int64_t seed,
                                   int repeat) {
    const auto num = static_cast<std::size_t>(num_folds);
    if (labels.size() < num) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("Cannot have number of splits n_splits={} greater than the number of samples: "
                                 "n_samples={}.",
                                 num_folds, labels.size()));
    }
    const DrawStream stream(seed, static_cast<std::uint64_t>(repeat), 0, DrawPurpose::kFold);
    std::vector<int> folds(labels.size());
    if (!by_label) {
        std::vector<std::size_t> rows(labels.size());
        std::iota(rows.begin(), rows.end(), std::size_t{0});
        rows = Shuffled(std::move(rows), stream);
        for (std::size_t i = 0; i < rows.size(); ++i) folds[rows[i]] = static_cast<int>(i % num);
        return folds;
    }
    std::map<float, std::vector<std::size_t>> rows_of;
    for (std::size_t row = 0; row < labels.size(); ++row) rows_of[labels[row]].push_back(row);
    const bool any_fills = std::any_of(rows_of.begin(), rows_of.end(),
                                       [&](const auto& label_rows) { return label_rows.second.size() >= num; });
    if (!any_fills) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("n_splits={} cannot be greater than the number of members in each class.", num_folds));
    }
    const auto shares = DealOut(labels, num);
    for (auto& [label, rows] : rows_of) {
        const std::vector<std::size_t> order = Shuffled(std::move(rows), stream);
        std::size_t next = 0;
        for (std::size_t fold = 0; fold < num; ++fold) {
            for (std::size_t i = 0; i < shares.at(label)[fold]; ++i) folds[order[next++]] = static_cast<int>(fold);
        }
    }
    return folds;
}

data::LabeledRows TakeRows(const data::LabeledRows& train, const data::LabeledRows& validation,
                           std::span<const int> folds, int fold, bool keep) {
    data::LabeledRows taken;
    taken.rows.num_features = std::max(train.rows.num_features, validation.rows.num_features);
    taken.rows.feature_types = train.rows.feature_types;
    const bool weighted = !train.weights.empty() || !validation.weights.empty();
    std::size_t at = 0;
    for (const data::LabeledRows* part : {&train, &validation}) {
        for (std::size_t row = 0; row < part->labels.size(); ++row, ++at) {
            if ((folds[at] == fold) != keep) continue;
            AppendRow(*part, row, taken);
            if (weighted) taken.weights.push_back(part->weights.empty() ? 1.0F : part->weights[row]);
        }
    }
    return taken;
}

FoldPredictions::FoldPredictions(std::vector<float> labels, bool is_class, int num_repeats)
    : labels_(std::move(labels)),
      is_class_(is_class),
      num_repeats_(static_cast<std::size_t>(num_repeats)),
      said_(labels_.size() * num_repeats_) {}

void FoldPredictions::Note(std::span<const std::size_t> rows, int repeat, std::span<const float> outputs) {
    if (rows.empty()) return;
    const std::size_t num_groups = outputs.size() / rows.size();
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::span<const float> output = outputs.subspan(i * num_groups, num_groups);
        const auto greatest = std::max_element(output.begin(), output.end());
        Said& said = said_[rows[i] * num_repeats_ + static_cast<std::size_t>(repeat)];
        said.value = static_cast<double>(*greatest);
        said.label = num_groups > 1 ? static_cast<int>(greatest - output.begin()) : (output[0] > 0.5F ? 1 : 0);
    }
}

Result<void> FoldPredictions::Share(collective::Comm& comm) {
    // Each row is one rank's, so the sum of the bits is that rank's number.
    std::vector<std::int64_t> bits;
    for (const Said& said : said_) {
        bits.push_back(std::bit_cast<std::int64_t>(said.value));
        bits.push_back(said.label);
    }
    TRY(comm.AllReduceSum(bits));
    for (std::size_t i = 0; i < said_.size(); ++i) {
        said_[i] = {std::bit_cast<double>(bits[2 * i]), static_cast<int>(bits[2 * i + 1])};
    }
    return {};
}

std::string FoldPredictions::ToCsv() const {
    std::string csv;
    for (std::size_t row = 0; row < labels_.size(); ++row) {
        double sum = 0;
        std::map<int, int> votes;
        for (std::size_t repeat = 0; repeat < num_repeats_; ++repeat) {
            const Said& said = said_[row * num_repeats_ + repeat];
            sum += said.value;
            ++votes[said.label];
        }
        csv += fmt::format("{:f},{:f}", labels_[row], sum / static_cast<double>(num_repeats_));
        if (is_class_) {
            const auto most = std::max_element(votes.begin(), votes.end(),
                                               [](const auto& a, const auto& b) { return a.second < b.second; });
            csv += fmt::format(",{:f}", static_cast<double>(most->first));
        }
        csv += '\n';
    }
    return csv;
}

std::string MeanMetricsLine(int num_rounds, std::span<const std::vector<MetricValue>> last_rounds) {
    std::string line = fmt::format("[{}]", num_rounds);
    if (last_rounds.empty()) return line;
    for (std::size_t metric = 0; metric < last_rounds[0].size(); ++metric) {
        double sum = 0;
        for (const std::vector<MetricValue>& metrics : last_rounds) sum += metrics[metric].value;
        line += fmt::format("\t{}-{}:{:.5f}", last_rounds[0][metric].data_set, last_rounds[0][metric].metric,
                            sum / static_cast<double>(last_rounds.size()));
    }
    return line;
}

}  // namespace espalier::learn
