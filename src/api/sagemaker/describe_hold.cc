#include "api/sagemaker/describe_hold.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace espalier::api::sagemaker {

using std::chrono::steady_clock;

namespace {

/// What a user agent says about the client.
struct Agent {
    std::string identity;  ///< without the tokens that differ from call to call
    bool is_waiter = false;
    bool is_sagemaker_sdk = false;
};

/// botocore lists the features a call uses in a token "m/B,D": B is a waiter, which looks again after two minutes only.
Agent ReadUserAgent(std::string_view text) {
    Agent agent;
    agent.is_sagemaker_sdk = text.find("AWS-SageMaker-Python-SDK") != std::string_view::npos;
    while (!text.empty()) {
        const std::size_t blank = std::min(text.find(' '), text.size());
        const std::string_view token = text.substr(0, blank);
        text.remove_prefix(std::min(blank + 1, text.size()));
        if (token.starts_with("m/")) {
            const std::string features = fmt::format(",{},", token.substr(2));
            agent.is_waiter |= features.find(",B,") != std::string::npos;
        } else {
            agent.identity += token;
            agent.identity += ' ';
        }
    }
    return agent;
}

}  // namespace

DescribeHold::DescribeHold(Options options) : options_(options), thread_([this] { Work(); }) {}

void DescribeHold::Watch(const std::string& kind, jobs::JobListeners& listeners, LookFunction look) {
    kinds_[kind] = std::move(look);
    subscriptions_.push_back(listeners.Subscribe([this, kind](std::int64_t job_id) {
        const std::lock_guard lock(mutex_);
        if (held_.empty()) return;
        changed_.insert({kind, job_id});
        wake_.notify_all();
    }));
}

DescribeHold::~DescribeHold() {
    subscriptions_.clear();
    Close();
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        wake_.notify_all();
    }
    thread_.join();
}

DescribeHold::Hold DescribeHold::HoldFor(const Job& job, const Client& client) {
    const Agent agent = ReadUserAgent(client.user_agent);
    const Look look = {{job.kind, job.id}, client.caller + "\n" + agent.identity};
    const auto [seen, first] = looks_.emplace(look, job.status);
    if (first) {
        look_order_.push_back(look);
        if (look_order_.size() > kLooksMax) {
            looks_.erase(look_order_.front());
            look_order_.pop_front();
        }
    }
    const bool repeats = !first && seen->second == job.status;
    seen->second = job.status;
    if (agent.is_waiter) return {.time = options_.waiter_hold, .until_terminal = true};
    if (repeats) return {.time = options_.repeat_hold};
    if (first && agent.is_sagemaker_sdk) return {.time = options_.first_sdk_hold};
    return {};
}

void DescribeHold::Answer(const Job& job, const Client& client, AnswerFunction answer) {
    if (!meta::IsTerminal(job.status)) {
        const std::lock_guard lock(mutex_);
        const Hold hold = HoldFor(job, client);
        if (hold.time.count() > 0 && !closed_ && held_.size() < kHeldMax) {
            held_.push_back({.job = {job.kind, job.id},
                             .status = job.status,
                             .until_terminal = hold.until_terminal,
                             .deadline = steady_clock::now() + hold.time,
                             .answer = std::move(answer)});
            // The job may have changed since it was read, before this call was here to be told: look once more.
            changed_.insert({job.kind, job.id});
            wake_.notify_all();
            return;
        }
    }
    answer();
}

void DescribeHold::Close() {
    std::vector<Held> held;
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        held.swap(held_);
    }
    for (Held& call : held) call.answer();
}

std::vector<DescribeHold::Held> DescribeHold::TakeReady(const std::set<JobKey>& changed) {
    std::map<JobKey, meta::JobStatus> now_is;
    for (const JobKey& job : changed) {
        if (const auto status = kinds_.at(job.first)(job.second)) now_is.emplace(job, *status);
    }
    const auto now = steady_clock::now();
    const std::lock_guard lock(mutex_);
    const auto first_ready = std::stable_partition(held_.begin(), held_.end(), [&](const Held& call) {
        const auto found = now_is.find(call.job);
        if (now >= call.deadline) return false;
        if (found == now_is.end()) return true;
        return call.until_terminal ? !meta::IsTerminal(found->second) : found->second == call.status;
    });
    std::vector<Held> ready(std::make_move_iterator(first_ready), std::make_move_iterator(held_.end()));
    held_.erase(first_ready, held_.end());
    return ready;
}

void DescribeHold::Work() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
        if (held_.empty()) {
            changed_.clear();
            wake_.wait(lock, [this] { return ending_ || !held_.empty(); });
            continue;
        }
        const auto earliest = std::min_element(held_.begin(), held_.end(), [](const Held& a, const Held& b) {
                                  return a.deadline < b.deadline;
                              })->deadline;
        wake_.wait_until(lock, earliest, [this] { return ending_ || !changed_.empty(); });
        const std::set<JobKey> changed = std::exchange(changed_, {});
        lock.unlock();
        for (Held& call : TakeReady(changed)) call.answer();
        lock.lock();
    }
}

}  // namespace espalier::api::sagemaker
