// One asynchronous invocation from its input object to the object it ends with.
//
// The places of the objects are fixed when a request is accepted, so what the server was killed in is done again and
// gives the same object, unless the object is there already. The payload is mapped, not copied, so that a gigabyte
// waits in the kernel's cache and not in this process. Failures are a sentence under the failure location, or the
// model's own message when it was the model that refused; without a failure location they are told in the endpoint's
// log only. Limits: kInputBytesMax. Source: SageMaker developer guide, "Asynchronous inference"; contracts/api.md 3.6.
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/mapped_memory.h"
#include "base/result.h"
#include "hosting/endpoint_log.h"
#include "hosting/invoker.h"
#include "meta/async_requests.h"
#include "store/object_store.h"

namespace espalier::hosting {

/// What became of a request, and what it took.
struct AsyncOutcome {
    enum class Kind {
        kAnswered,  ///< the output object is there
        kFailed,    ///< the error object is there, if it was asked for
        kNotNow,    ///< the store could not take the result; to be done again
    };
    Kind kind = Kind::kNotNow;
    bool download_failed = false;
    bool upload_failed = false;
    std::uint64_t download_us = 0;
    std::uint64_t upload_us = 0;
};

class AsyncRun {
  public:
    static constexpr std::uint64_t kInputBytesMax = std::uint64_t{1} << 30;

    /// Borrowed. `folder` is there; inputs are linked into it while they are read, and it is emptied now.
    AsyncRun(std::string folder, store::ObjectStore& objects, Invoker& invoker, EndpointLog& log,
             std::uint64_t input_bytes_max = kInputBytesMax);

    /// Asks the picked variant and stores what it says.
    AsyncOutcome Answer(const meta::AsyncRequest& request, const PickedVariant& picked);
    /// Ends it with `reason` and without an answer.
    AsyncOutcome Fail(const meta::AsyncRequest& request, const std::string& reason);
    /// How it ended, when a kill came between its object and the end of its row; kNotNow when it has not.
    AsyncOutcome::Kind EndBefore(const meta::AsyncRequest& request) const;

  private:
    struct Payload {
        std::shared_ptr<const MappedMemory> mapped;  ///< keeps `bytes` alive, unless they came with the request
        std::string_view bytes;
        std::string content_type;
    };
    Result<Payload> Fetch(const meta::AsyncRequest& request) const;
    /// Stores the object the request ends with.
    Result<void> Store(const std::string& location, std::string_view bytes, std::string_view content_type);
    void StoreFailure(const meta::AsyncRequest& request, std::string_view message, std::string_view content_type,
                      AsyncOutcome& outcome);

    const std::string folder_;
    store::ObjectStore& objects_;
    Invoker& invoker_;
    EndpointLog& log_;
    const std::uint64_t input_bytes_max_;
};

}  // namespace espalier::hosting
