#include "learn/time_order.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/check.h"

namespace espalier::learn {

namespace {

template <typename Value>
Result<std::vector<Value>> GatherValues(std::span<const Value> mine, collective::Comm& comm, std::size_t* my_begin) {
    const auto parts = TRY(comm.AllGatherV(std::as_bytes(mine)));
    std::vector<Value> all;
    for (std::size_t rank = 0; rank < parts.size(); ++rank) {
        const std::size_t begin = all.size();
        if (my_begin != nullptr && static_cast<int>(rank) == comm.rank()) *my_begin = begin;
        all.resize(begin + parts[rank].size() / sizeof(Value));
        if (!parts[rank].empty()) std::memcpy(all.data() + begin, parts[rank].data(), parts[rank].size());
    }
    return all;
}

}  // namespace

Result<TimeOrder> TimeOrder::Create(const RowsView& rows, collective::Comm& comm) {
    std::vector<std::uint64_t> my_identities(rows.num_rows);
    for (std::size_t row = 0; row < rows.num_rows; ++row) my_identities[row] = rows.IdentityOf(row);
    std::size_t my_begin = 0;
    const auto labels = TRY(GatherValues(std::span(rows.labels, rows.num_rows), comm, &my_begin));
    const auto identities = TRY(GatherValues(std::span<const std::uint64_t>(my_identities), comm, nullptr));
    TimeOrder result;
    result.order_.resize(labels.size());
    std::iota(result.order_.begin(), result.order_.end(), 0U);
    std::sort(result.order_.begin(), result.order_.end(), [&](std::uint32_t a, std::uint32_t b) {
        const float time_a = std::fabs(labels[a]);
        const float time_b = std::fabs(labels[b]);
        return time_a != time_b ? time_a < time_b : identities[a] < identities[b];
    });
    result.places_.resize(rows.num_rows);
    for (std::size_t place = 0; place < result.order_.size(); ++place) {
        const std::size_t index = result.order_[place];
        result.times_.push_back(std::fabs(labels[index]));
        result.events_.push_back(labels[index] > 0 ? 1 : 0);
        if (index >= my_begin && index < my_begin + rows.num_rows) {
            result.places_[index - my_begin] = static_cast<std::uint32_t>(place);
        }
    }
    return result;
}

std::vector<double> TimeOrder::AtRisk(std::span<const double> hazards) const {
    std::vector<double> at_risk(hazards.size());
    double sum = 0;
    for (std::size_t place = hazards.size(); place-- > 0;) {
        sum += hazards[place];
        at_risk[place] = sum;
    }
    for (std::size_t place = 1; place < hazards.size(); ++place) {
        if (times_[place] == times_[place - 1]) at_risk[place] = at_risk[place - 1];
    }
    return at_risk;
}

Result<std::vector<float>> TimeOrder::Gather(std::span<const float> mine, collective::Comm& comm) const {
    const auto all = TRY(GatherValues(mine, comm, nullptr));
    CHECK(all.size() == order_.size());
    std::vector<float> ordered(all.size());
    for (std::size_t place = 0; place < ordered.size(); ++place) ordered[place] = all[order_[place]];
    return ordered;
}

}  // namespace espalier::learn
