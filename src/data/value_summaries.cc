#include "data/value_summaries.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>

#include "base/check.h"
#include "data/partial_summary.h"
#include "data/stored_array.h"
#include "kernels/key_sort.h"
#include "kernels/value_range.h"

namespace espalier::data {

namespace {

constexpr std::size_t kCodes = ValueDictionary::kValuesMax;
// Weights by (feature, code) take 2 KB a feature and worker; with more features codes are turned into floats.
constexpr std::size_t kCountedFeaturesMax = 32'768;
// As many rows as 16 bits count.
constexpr std::size_t kNewRowsMax = 0xFFFF;
// Columns of floats are gathered while they have no more than this many values together: 64 MB, with weights 128 MB.
constexpr std::uint64_t kGatheredMax = std::uint64_t{16} << 20;

// Shorter columns are sorted as fast as they are looked through twice.
constexpr std::size_t kPartialMin = std::size_t{1} << 16;

/// What one worker has seen.
struct Counts {
    std::vector<std::int64_t> zero_weight;   ///< [features + 1] differences
    std::vector<std::int64_t> zero_count;    ///< [features + 1] differences
    std::vector<std::int64_t> code_weights;  ///< [features x codes]
    /// [features x codes] of the last few rows, where all rows count 1: a quarter of code_weights, so that it stays in
    /// the second cache.
    std::vector<std::uint16_t> new_codes;
    std::size_t num_new_rows = 0;
    std::vector<std::uint64_t> code_count;   ///< [features] coded entries
    std::vector<std::uint64_t> float_count;  ///< [features]
};

class Summarizer {
  public:
    Summarizer(const CompactRows& rows, std::span<const std::int64_t> weight_units, std::size_t num_features,
               WorkerTeam& team, const VisitSummary& visit, std::size_t max_bin)
        : rows_(rows),
          weight_units_(weight_units),
          num_features_(num_features),
          counts_codes_(rows.has_codes() && num_features <= kCountedFeaturesMax),
          team_(team),
          visit_(visit),
          max_bin_(max_bin),
          decoders_(static_cast<std::size_t>(team.num_threads())),
          floats_(decoders_.size()),
          code_order_(kCodes) {
        std::iota(code_order_.begin(), code_order_.end(), std::size_t{0});
        std::sort(code_order_.begin(), code_order_.end(),
                  [&](std::size_t a, std::size_t b) { return ValueOf(a) < ValueOf(b); });
    }

    void Run() {
        CountAll();
        for (std::size_t begin = 0; begin < num_features_;) {
            std::size_t end = begin;
            std::uint64_t gathered = 0;
            while (end < num_features_ && (end == begin || gathered + total_.float_count[end] <= kGatheredMax)) {
                gathered += total_.float_count[end++];
            }
            if (gathered == 0) {
                team_.ForEach(end - begin,
                              [&](std::size_t f, int) { visit_(begin + f, CountedSummary(begin + f), nullptr); });
            } else if (weight_units_.empty()) {
                AddFloats<std::uint32_t>(begin, end);
            } else {
                AddFloats<std::uint64_t>(begin, end);
            }
            begin = end;
        }
    }

  private:
    float ValueOf(std::size_t code) const { return rows_.dictionary().ValueOf(static_cast<std::uint8_t>(code)); }
    std::int64_t WeightOf(std::size_t row) const { return weight_units_.empty() ? 1 : weight_units_[row]; }
    bool counted(const BlockView& block) const { return block.codes != nullptr && counts_codes_; }

    void CountAll() {
        std::vector<Counts> of_worker(decoders_.size());
        team_.ForEach(rows_.num_blocks(), [&](std::size_t block, int worker) {
            Counts& counts = of_worker[static_cast<std::size_t>(worker)];
            if (counts.zero_weight.empty()) Begin(counts);
            BlockDecoder& decoder = decoders_[static_cast<std::size_t>(worker)];
            if (rows_.has_columns(block)) {
                CountColumns(decoder.DecodeColumns(rows_, block), rows_.first_row(block), counts);
                return;
            }
            CountBlock(decoder.Decode(rows_, block), rows_.first_row(block), counts);
        });
        for (Counts& counts : of_worker) AddNewCodes(counts);
        Begin(total_);
        const auto add = [](auto& all, const auto& part) {
            for (std::size_t i = 0; i < part.size(); ++i) all[i] += part[i];
        };
        for (const Counts& counts : of_worker) {
            add(total_.zero_weight, counts.zero_weight);
            add(total_.zero_count, counts.zero_count);
            add(total_.code_weights, counts.code_weights);
            add(total_.code_count, counts.code_count);
            add(total_.float_count, counts.float_count);
        }
        if (counts_codes_ && weight_units_.empty()) CountEntriesOfCodes();
        std::partial_sum(total_.zero_weight.begin(), total_.zero_weight.end(), total_.zero_weight.begin());
        std::partial_sum(total_.zero_count.begin(), total_.zero_count.end(), total_.zero_count.begin());
    }

    void Begin(Counts& counts) const {
        counts.zero_weight.assign(num_features_ + 1, 0);
        counts.zero_count.assign(num_features_ + 1, 0);
        counts.code_weights.assign(counts_codes_ ? num_features_ * kCodes : 0, 0);
        if (weight_units_.empty()) counts.new_codes.assign(counts.code_weights.size(), 0);
        counts.code_count.assign(num_features_, 0);
        counts.float_count.assign(num_features_, 0);
    }

    void CountColumns(const ColumnsView& block, std::size_t first_row, Counts& counts) const {
        for (std::size_t f = 0; f < block.num_features; ++f) {
            const kernels::ValueRange& range = block.ranges[f];
            counts.float_count[f] += block.num_rows - range.num_zeros - range.num_missing;
            if (range.num_zeros == 0) continue;
            std::int64_t weight = range.num_zeros;
            if (!weight_units_.empty()) {
                weight = 0;
                const std::span<const float> values = block.column(f);
                for (std::size_t row = 0; row < values.size(); ++row) {
                    if (values[row] == 0) weight += WeightOf(first_row + row);
                }
            }
            counts.zero_count[f] += range.num_zeros;
            counts.zero_count[f + 1] -= range.num_zeros;
            counts.zero_weight[f] += weight;
            counts.zero_weight[f + 1] -= weight;
        }
    }

    /// Neither missing nor 0.
    static bool IsFloat(float value) { return value > 0.0F || value < 0.0F; }

    void CountBlock(const BlockView& block, std::size_t first_row, Counts& counts) const {
        for (std::size_t row = 0; row < block.num_rows; ++row) {
            const std::int64_t weight = WeightOf(first_row + row);
            for (std::uint32_t r = block.run_offsets[row]; r < block.run_offsets[row + 1]; ++r) {
                const FeatureRun run = block.runs[r];
                counts.zero_weight[run.begin] += weight;
                counts.zero_weight[run.end] -= weight;
                ++counts.zero_count[run.begin];
                --counts.zero_count[run.end];
            }
            if (!counted(block) || weight_units_.empty()) continue;
            for (std::uint32_t e = block.entry_offsets[row]; e < block.entry_offsets[row + 1]; ++e) {
                counts.code_weights[std::size_t{block.features[e]} * kCodes + block.codes[e]] += weight;
            }
        }
        if (counted(block) && weight_units_.empty()) return CountCodes(block, counts);
        const std::uint32_t num_entries = block.entry_offsets[block.num_rows];
        std::vector<std::uint64_t>& entries = counted(block) ? counts.code_count : counts.float_count;
        for (std::uint32_t e = 0; e < num_entries; ++e) ++entries[block.features[e]];
    }

    /// Of rows that count 1 each.
    void CountCodes(const BlockView& block, Counts& counts) const {
        for (std::size_t begin = 0; begin < block.num_rows; begin += kNewRowsMax) {
            const std::size_t end = std::min<std::size_t>(begin + kNewRowsMax, block.num_rows);
            if (counts.num_new_rows + (end - begin) > kNewRowsMax) AddNewCodes(counts);
            counts.num_new_rows += end - begin;
            for (std::uint32_t e = block.entry_offsets[begin]; e < block.entry_offsets[end]; ++e) {
                ++counts.new_codes[std::size_t{block.features[e]} * kCodes + block.codes[e]];
            }
        }
    }

    /// Where rows count 1 each.
    void CountEntriesOfCodes() {
        for (std::size_t f = 0; f < num_features_; ++f) {
            const auto weights = total_.code_weights.begin() + static_cast<std::ptrdiff_t>(f * kCodes);
            total_.code_count[f] =
                static_cast<std::uint64_t>(std::accumulate(weights, weights + kCodes, std::int64_t{0}));
        }
    }

    static void AddNewCodes(Counts& counts) {
        for (std::size_t i = 0; i < counts.new_codes.size(); ++i) counts.code_weights[i] += counts.new_codes[i];
        std::fill(counts.new_codes.begin(), counts.new_codes.end(), std::uint16_t{0});
        counts.num_new_rows = 0;
    }

    /// Zeros and coded values of a feature.
    ValueSummary CountedSummary(std::size_t feature) const {
        ValueSummary summary;
        summary.num_entries = static_cast<std::uint64_t>(total_.zero_count[feature]) + total_.code_count[feature];
        bool zero_is_listed = total_.zero_weight[feature] == 0;
        const auto list_zero = [&] {
            if (zero_is_listed) return;
            zero_is_listed = true;
            summary.values.push_back(0.0F);
            summary.weights.push_back(total_.zero_weight[feature]);
        };
        if (total_.code_count[feature] > 0) {
            const std::int64_t* weights = total_.code_weights.data() + feature * kCodes;
            for (const std::size_t code : code_order_) {
                if (weights[code] == 0) continue;
                if (ValueOf(code) > 0) list_zero();
                summary.values.push_back(ValueOf(code));
                summary.weights.push_back(weights[code]);
            }
        }
        list_zero();
        return summary;
    }

    /// The floats of features [begin, end). Key: the float's ordered bits, and below them the row when there are
    /// weights.
    template <typename Key>
    void AddFloats(std::size_t begin, std::size_t end) {
        std::vector<std::uint64_t> offsets(end - begin + 1, 0);
        for (std::size_t f = begin; f < end; ++f) offsets[f - begin + 1] = offsets[f - begin] + total_.float_count[f];
        const bool column_by_column = HasColumnsOnly();
        EntryVector<Key> keys(column_by_column ? 0 : offsets.back());
        if (!column_by_column) Gather(begin, end, offsets, keys);
        std::uint64_t most = column_by_column ? rows_.num_rows() : 0;
        for (std::size_t f = begin; f < end; ++f) most = std::max(most, total_.float_count[f]);
        // Huge pages of its own for each worker: sorting writes to two thousand places at a time.
        struct Workplace {
            StoredArray<Key> keys;
            StoredArray<Key> scratch;
            PartialSummarizer summarizer;
        };
        std::vector<Workplace> workplaces(decoders_.size());
        ArrayStore store;
        for (Workplace& own : workplaces) {
            own.keys = store.Make<Key>(column_by_column ? most : 0);
            own.scratch = store.Make<Key>(most);
        }
        team_.ForEach(end - begin, [&](std::size_t f, int worker) {
            Workplace& own = workplaces[static_cast<std::size_t>(worker)];
            const std::size_t size = offsets[f + 1] - offsets[f];
            if constexpr (sizeof(Key) == 4) {
                if (column_by_column && VisitPartly(begin + f, own, worker)) return;
            }
            std::span<Key> column(keys.data() + (column_by_column ? 0 : offsets[f]), column_by_column ? 0 : size);
            if (column_by_column) column = GatherColumn(begin + f, std::span<Key>(own.keys.data(), size), worker);
            kernels::SortKeys(column, std::span<Key>(own.scratch.data(), own.scratch.size()));
            ValueSummary& floats = floats_[static_cast<std::size_t>(worker)];
            Fold(std::span<const Key>(column), floats);
            ValueSummary counted = CountedSummary(begin + f);
            if (counted.num_entries == 0) {
                visit_(begin + f, floats, nullptr);
            } else {
                counted.Merge(floats);
                visit_(begin + f, counted, nullptr);
            }
        });
    }

    /// Visits with a partial summary, if the column is long, without missing values, and no value is frequent.
    template <typename Workplace>
    bool VisitPartly(std::size_t feature, Workplace& own, int worker) {
        if (max_bin_ == 0 || rows_.num_rows() < kPartialMin) return false;
        PartialSummarizer::Column column;
        for (std::size_t b = 0; b < rows_.num_blocks(); ++b) {
            const ColumnsView block = decoders_[static_cast<std::size_t>(worker)].DecodeColumns(rows_, b);
            if (feature >= block.num_features) return false;
            const kernels::ValueRange& part = block.ranges[feature];
            if (part.num_missing > 0) return false;
            column.lowest = std::min(column.lowest, part.lowest);
            column.highest = std::max(column.highest, part.highest);
            column.num_zeros += part.num_zeros;
            column.parts.push_back(block.column(feature));
        }
        const std::size_t size = rows_.num_rows();
        ValueSummary& summary = floats_[static_cast<std::size_t>(worker)];
        const auto plan = own.summarizer.Summarize(column, max_bin_, {own.keys.data(), size}, summary);
        if (plan.has_value()) visit_(feature, summary, &*plan);
        return plan.has_value();
    }

    /// Whether a column can be copied together from the blocks' columns.
    bool HasColumnsOnly() const {
        if (rows_.spills()) return false;
        for (std::size_t b = 0; b < rows_.num_blocks(); ++b) {
            if (!rows_.has_columns(b)) return false;
        }
        return true;
    }

    template <typename Key>
    std::span<Key> GatherColumn(std::size_t feature, std::span<Key> keys, int worker) {
        std::size_t at = 0;
        for (std::size_t b = 0; b < rows_.num_blocks(); ++b) {
            const ColumnsView block = decoders_[static_cast<std::size_t>(worker)].DecodeColumns(rows_, b);
            if (feature >= block.num_features) continue;
            const std::span<const float> values = block.column(feature);
            const std::size_t first_row = rows_.first_row(b);
            if (!block.has_holes) {
                for (std::size_t row = 0; row < values.size(); ++row) {
                    keys[at + row] = MakeKey<Key>(values[row], first_row + row);
                }
                at += values.size();
                continue;
            }
            for (std::size_t row = 0; row < values.size(); ++row) {
                if (IsFloat(values[row])) keys[at++] = MakeKey<Key>(values[row], first_row + row);
            }
        }
        CHECK(at == keys.size());
        return keys;
    }

    template <typename Key>
    void Gather(std::size_t begin, std::size_t end, const std::vector<std::uint64_t>& offsets, EntryVector<Key>& keys) {
        std::vector<std::atomic<std::uint64_t>> next(end - begin);
        for (std::size_t f = 0; f < next.size(); ++f) next[f].store(offsets[f], std::memory_order_relaxed);
        std::vector<std::vector<std::uint64_t>> places(decoders_.size());  // [workers][features]
        team_.ForEach(rows_.num_blocks(), [&](std::size_t b, int worker) {
            const BlockView block = decoders_[static_cast<std::size_t>(worker)].Decode(rows_, b);
            if (counted(block)) return;
            const auto for_each_entry = [&](auto body) {
                for (std::size_t row = 0; row < block.num_rows; ++row) {
                    const auto* first = block.features + block.entry_offsets[row];
                    const auto* last = block.features + block.entry_offsets[row + 1];
                    if (begin > 0) first = std::lower_bound(first, last, begin);
                    for (; first < last && *first < end; ++first) {
                        body(row, *first - begin, static_cast<std::size_t>(first - block.features));
                    }
                }
            };
            // A block takes its places in a column at once: value by value, threads would wait for each other's
            // counters.
            std::vector<std::uint64_t>& place = places[static_cast<std::size_t>(worker)];
            place.assign(next.size(), 0);
            for_each_entry([&](std::size_t, std::size_t f, std::size_t) { ++place[f]; });
            for (std::size_t f = 0; f < place.size(); ++f) {
                if (place[f] > 0) place[f] = next[f].fetch_add(place[f], std::memory_order_relaxed);
            }
            for_each_entry([&](std::size_t row, std::size_t f, std::size_t e) {
                const float value = block.codes != nullptr ? ValueOf(block.codes[e]) : block.values[e];
                keys[place[f]++] = MakeKey<Key>(value, rows_.first_row(b) + row);
            });
        });
    }

    template <typename Key>
    static Key MakeKey(float value, std::size_t row) {
        const std::uint32_t ordered = kernels::OrderedBits(value);
        if constexpr (sizeof(Key) == 4) {
            return ordered;
        } else {
            return std::uint64_t{ordered} << 32 | row;
        }
    }

    /// The summary of sorted keys, into memory that was used before.
    template <typename Key>
    void Fold(std::span<const Key> column, ValueSummary& summary) const {
        summary.num_entries = column.size();
        summary.values.resize(column.size());
        summary.weights.resize(column.size());
        std::size_t num_values = 0;
        for (std::size_t i = 0; i < column.size();) {
            const auto ordered = static_cast<std::uint32_t>(column[i] >> (8 * (sizeof(Key) - 4)));
            std::int64_t weight = 0;
            for (; i < column.size() && column[i] >> (8 * (sizeof(Key) - 4)) == ordered; ++i) {
                weight += WeightOf(static_cast<std::uint32_t>(column[i]));
            }
            if (weight == 0) continue;
            summary.values[num_values] = kernels::FromOrderedBits(ordered);
            summary.weights[num_values++] = weight;
        }
        summary.values.resize(num_values);
        summary.weights.resize(num_values);
    }

    const CompactRows& rows_;
    const std::span<const std::int64_t> weight_units_;
    const std::size_t num_features_;
    const bool counts_codes_;
    WorkerTeam& team_;
    const VisitSummary& visit_;
    const std::size_t max_bin_;
    std::vector<BlockDecoder> decoders_;
    std::vector<ValueSummary> floats_;  ///< [workers]
    std::vector<std::size_t> code_order_;
    Counts total_;
};

}  // namespace

void ForEachSummary(const CompactRows& rows, std::span<const std::int64_t> weight_units, std::size_t num_features,
                    WorkerTeam& team, const VisitSummary& visit, std::size_t max_bin) {
    CHECK(rows.num_features <= num_features);
    Summarizer(rows, weight_units, num_features, team, visit, max_bin).Run();
}

std::vector<ValueSummary> SummarizeValues(const CompactRows& rows, std::span<const std::int64_t> weight_units,
                                          std::size_t num_features, WorkerTeam& team) {
    std::vector<ValueSummary> summaries(num_features);
    ForEachSummary(rows, weight_units, num_features, team,
                   [&](std::size_t f, const ValueSummary& summary, const SketchPlan*) { summaries[f] = summary; });
    return summaries;
}

}  // namespace espalier::data
