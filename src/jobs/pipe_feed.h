// The writing end of a channel in Pipe mode: a named pipe through which one instance reads its objects, one after
// another, as SageMaker's Pipe mode gives them.
//
// Life: Create makes the pipe and starts a thread that waits for a reader, writes the files in order and closes.
// Objects stream as they are; where `end_lines` is set a file that does not end with a line end gets one, so that its
// last row and the next object's first stay two. A reader that goes away ends the feed. Destroying it ends it at any
// time and removes nothing: the pipe goes with the job's folder. Thread-compatible. Source: AWS developer guide, "Pipe
// mode"; contracts/xgboost.md 2.1.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"

namespace espalier::jobs {

class PipeFeed {
  public:
    struct Source {
        std::string pipe_path;
        std::vector<std::string> files;
        bool end_lines = false;
    };
    static Result<std::unique_ptr<PipeFeed>> Create(Source source);
    ~PipeFeed();
    PipeFeed(PipeFeed&&) = delete;

    /// The reader got less than all files because one could not be read: what was made of it must not count.
    bool broken() const { return broken_; }

  private:
    explicit PipeFeed(Source source) : source_(std::move(source)) {}
    void Run();
    void Break(const std::string& what);
    /// False when the feed is over: stopped, or nobody reads any more.
    bool CopyFile(int pipe, const std::string& path);
    bool Write(int pipe, const char* bytes, std::size_t size);

    const Source source_;
    std::atomic<bool> stop_ = false;
    std::atomic<bool> broken_ = false;
    std::thread thread_;
};

}  // namespace espalier::jobs
