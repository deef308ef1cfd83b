// Holds a DescribeTrainingJob that would only repeat itself, so that clients which poll every 30 to 120 seconds learn
// the end of a short job when it comes and not at their next look.
//
// The first Describe of a job by a client answers at once (SageMaker Python SDKs: after first_sdk_hold at most, as
// their next look would be 30 s later). A later one that would repeat the same TrainingJobStatus, InProgress or
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
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "jobs/job_service.h"
#include "meta/training_jobs.h"

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
    using AnswerFunction = std::function<void(const meta::TrainingJob&)>;

    /// `jobs` is borrowed; this becomes its listener.
    DescribeHold(jobs::JobService& jobs, Options options);
    ~DescribeHold();

    /// Calls `answer` with the job, now or when the hold ends. `job` has just been read.
    void Answer(const meta::TrainingJob& job, const Client& client, AnswerFunction answer);

    /// Answers all that are held and holds no more: the server is about to drain.
    void Close();

  private:
    using Look = std::pair<std::int64_t, std::string>;  ///< job id; caller and user agent
    struct Held {
        std::int64_t job_id;
        meta::JobStatus status;
        bool until_terminal;  ///< a waiter has no use for Stopping
        std::chrono::steady_clock::time_point deadline;
        AnswerFunction answer;
    };

    struct Hold {
        std::chrono::milliseconds time{0};
        bool until_terminal = false;
    };
    Hold HoldFor(const meta::TrainingJob& job, const Client& client);  // mutex_ held
    void Work();
    std::vector<Held> TakeReady(const std::set<std::int64_t>& changed);
    void AnswerFresh(Held& held);

    jobs::JobService& jobs_;
    const Options options_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::map<Look, meta::JobStatus> looks_;  // guarded by mutex_, as is all below
    std::deque<Look> look_order_;
    std::vector<Held> held_;
    std::set<std::int64_t> changed_;
    bool closed_ = false;
    bool ending_ = false;
    std::jthread thread_;
};

}  // namespace espalier::api::sagemaker
