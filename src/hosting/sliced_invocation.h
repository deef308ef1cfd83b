// One invocation whose answer is made in slices of rows: what Invoker::Invoke does, at the pace of who reads it.
//
// It is counted, logged, captured and mirrored once, with its last slice, so that a client which has the whole answer
// finds it booked. One that is dropped before that is counted with the time it took so far, logged, and neither
// captured nor mirrored: nobody has the answer that would be compared. While it is made, its rows are in memory, and
// its answer only if that is captured. One thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "hosting/inference.h"
#include "hosting/invoker.h"

namespace espalier::hosting {

class SlicedInvocation {
  public:
    /// Reads the payload. The texts of `request` are borrowed.
    SlicedInvocation(Invoker& invoker, const PickedVariant& picked, const InvokeRequest& request);
    ~SlicedInvocation();
    SlicedInvocation(const SlicedInvocation&) = delete;
    SlicedInvocation& operator=(const SlicedInvocation&) = delete;

    /// The next rows' answer. Not after done().
    ContainerReply Next();
    /// Nothing is left to answer, or it was refused or failed.
    bool done() const { return booked_; }
    /// Ends it as one whose model failed with that text.
    void Fail(std::string message);

    /// The status of the answer so far.
    int status() const { return answer_.reply.status; }
    /// What the model took so far.
    std::uint64_t model_latency_us() const { return answer_.model_latency_us; }

  private:
    void Book();

    Invoker& invoker_;
    const PickedVariant picked_;
    const InvokeRequest request_;
    const Invoker::CaptureIds capture_;
    const bool keeps_output_;
    const std::chrono::steady_clock::time_point begun_at_;
    SlicedInference inference_;
    std::chrono::steady_clock::duration took_;  // by the model: reading the payload and the slices so far
    InvokeReply answer_;                        // without a body, unless it is kept or an error
    bool booked_ = false;
};

}  // namespace espalier::hosting
