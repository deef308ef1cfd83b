#include "learn/shared_bins.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace espalier::learn {

namespace {

const std::string& IdentityOf(const InstanceConfig& config, const std::string& channel_name) {
    static const std::string kUnknown;
    const auto channel = std::find_if(config.channels.begin(), config.channels.end(),
                                      [&](const ChannelConfig& c) { return c.name == channel_name; });
    return channel == config.channels.end() ? kUnknown : channel->data_identity;
}

/// All that decides over the bins, besides the version of the format.
std::string Describe(const InstanceConfig& config, std::span<const ChannelFiles> channels, const TrainParams& params) {
    std::string text = fmt::format("max_bin {}\n", params.max_bin);
    for (const ChannelFiles& channel : channels) {
        const std::string& identity = IdentityOf(config, channel.name);
        text += fmt::format("{} {} {} {} {} {}\n", channel.name, static_cast<int>(channel.format), channel.csv_weights,
                            channel.ignores_weights, identity.size(), identity);
    }
    return text;
}

}  // namespace

bool SharedBins::Find(const InstanceConfig& config, std::span<const ChannelFiles> channels, const TrainParams& params,
                      std::vector<DataSet>& sets, std::vector<data::LoadReport>& reports) {
    const bool all_known = std::all_of(channels.begin(), channels.end(), [&](const ChannelFiles& channel) {
        // The categories of Parquet columns are not kept with the bins.
        return !IdentityOf(config, channel.name).empty() && channel.format != data::InputFormat::kParquet;
    });
    if (config.binned_cache_folder.empty() || !all_known) return false;
    cache_.emplace(config.binned_cache_folder, Describe(config, channels, params));
    Result<std::optional<BinnedJob>> opened = cache_->Open(mark_);
    if (!opened.has_value()) {
        log_.Warning("The cache of binned data is not used: " + opened.error().message());
        cache_.reset();
        return false;
    }
    if (!opened->has_value() || (*opened)->sets.size() != channels.size()) return false;
    found_ = std::move(**opened);
    for (std::size_t i = 0; i < channels.size(); ++i) {
        const BinnedSet& cached = found_->sets[i];
        DataSet& set = sets.emplace_back();
        set.name = channels[i].name;
        set.labeled.rows = data::CompactRows::WithoutValues(cached.num_features, cached.num_entries);
        set.labeled.labels = cached.labels;
        set.labeled.weights = cached.weights;
        set.labeled.query_ids = cached.query_ids;
        reports.push_back({.csv_delimiter = cached.csv_delimiter, .warnings = cached.warnings, .rows_of_file = {}});
    }
    log_.Info(fmt::format("Binned data taken from {}", cache_->path()));
    return true;
}

void SharedBins::NoteLoaded(std::span<const DataSet> sets, std::span<const data::LoadReport> reports) {
    if (!cache_.has_value() || found_.has_value()) return;
    for (std::size_t i = 0; i < sets.size(); ++i) {
        const data::TrainingRows& rows = sets[i].labeled;
        noted_.push_back({.matrix = {},
                          .labels = rows.labels,
                          .weights = rows.weights,
                          .query_ids = rows.query_ids,
                          .num_features = rows.rows.num_features,
                          .num_entries = rows.rows.num_entries(),
                          .csv_delimiter = reports[i].csv_delimiter,
                          .warnings = reports[i].warnings});
    }
}

void SharedBins::Keep(const PreparedData& prepared) {
    if (noted_.size() != prepared.sets.size()) return;
    BinnedJob job{.layout = prepared.layout, .sets = std::move(noted_)};
    for (std::size_t i = 0; i < job.sets.size(); ++i) job.sets[i].matrix = prepared.sets[i].matrix;
    const Result<void> kept = cache_->Keep(job);
    if (!kept.has_value()) log_.Warning("The binned data is not kept for other jobs: " + kept.error().message());
    cache_.reset();
}

}  // namespace espalier::learn
