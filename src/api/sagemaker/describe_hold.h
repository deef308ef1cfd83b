// Holds a Describe of a job that would only repeat itself, so that clients which poll every 30 to 120 seconds learn the
// end of a short job when it comes and not at their next look.
//
// The first Describe of a job by a client answers at once (SageMaker Python SDKs: after first_sdk_hold at most, as
// their next look would be 30 s later). A later one that would repeat the same status, InProgress or
// Stopping, waits until that status changes or repeat_hold is over (waiter_hold, also at the first look, for botocore's
// waiters, which have no use for Stopping and wait for the end). Answers on terminal jobs never wait. No thread is
// occupied: one thread of this object answers all held calls. "The same client" is the same caller with the same user
// agent, apart from the features that botocore lists for the single call. Bounds: kHeldMax held calls (more answer at
// once), kLooksMax remembered looks (the oldest are forgotten).
// Thread-safe. Source: contracts/api.md 2.10.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "jobs/job_listeners.h"
#include "meta/job_query.h"

namespace espalier::api::sagemaker {

class DescribeHold {
  public:
    static constexpr std::size_t kHeldMax = 512;
    static constexpr std::size_t kLooksMax = 4096;

    struct Options {
        /// Below every client's read timeout (60 s). 0 = never hold.
        std::chrono::milliseconds repeat_hold{20000};
        /// For botocore's waiters, whose next look is two minutes away.
        std::chrono::milliseconds waiter_hold{50000};
        std::chrono::milliseconds first_sdk_hold{10000};
    };
    struct Client {
        std::string caller;
        std::string user_agent;
    };
    /// A job as its Describe has just read it.
    struct Job {
        std::string kind;  ///< one of those that are watched
        std::int64_t id = 0;
        meta::JobStatus status = meta::JobStatus::kInProgress;
    };
    /// The status of a job now; nullopt when it cannot be read.
    using LookFunction = std::function<std::optional<meta::JobStatus>(std::int64_t job_id)>;
    /// Reads the job anew and answers.
    using AnswerFunction = std::function<void()>;

    explicit DescribeHold(Options options);
    ~DescribeHold();

    /// Makes jobs of a kind known. `listeners` are borrowed. Before the first Answer.
    void Watch(const std::string& kind, jobs::JobListeners& listeners, LookFunction look);

    /// Calls `answer`, now or when the hold ends.
    void Answer(const Job& job, const Client& client, AnswerFunction answer);

    /// Answers all that are held and holds no more: the server is about to drain.
    void Close();

  private:
    using JobKey = std::pair<std::string, std::int64_t>;  ///< kind, id
    using Look = std::pair<JobKey, std::string>;          ///< the job; caller and user agent
    struct Held {
        JobKey job;
        meta::JobStatus status;
        bool until_terminal;  ///< a waiter has no use for Stopping
        std::chrono::steady_clock::time_point deadline;
        AnswerFunction answer;
    };

    struct Hold {
        std::chrono::milliseconds time{0};
        bool until_terminal = false;
    };
    Hold HoldFor(const Job& job, const Client& client);  // mutex_ held
    void Work();
    std::vector<Held> TakeReady(const std::set<JobKey>& changed);

    const Options options_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::map<Look, meta::JobStatus> looks_;  // guarded by mutex_, as is all below
    std::deque<Look> look_order_;
    std::vector<Held> held_;
    std::set<JobKey> changed_;
    bool closed_ = false;
    bool ending_ = false;
    std::map<std::string, LookFunction> kinds_;  ///< filled before the first Answer
    std::vector<std::unique_ptr<jobs::JobListeners::Subscription>> subscriptions_;
    std::jthread thread_;
};

}  // namespace espalier::api::sagemaker
