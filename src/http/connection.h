// One client connection: reads requests, hands them to the handler, writes answers. Internal to http/.
//
// Nouns: Loop, an I/O thread with its connections; ServerShared, what outlives the server for late answers; Request,
// the head and body of the request being handled; BodyState, how much of the body has been taken from the socket.
// Confined to its loop, except between Dispatch and the answer: then the socket, the input buffer and body_ belong to
// whoever holds the exchange (the loop touches nothing but the registry), and Send, SendFile, ReadBody and those of a
// stream are called by that thread. Posting to the loop hands them back; a stream's part that the socket does not take
// lends them to it until the part is gone.
// Four files: connection.cc, the states from head to end; connection_body.cc; connection_answer.cc;
// connection_stream.cc, answers in parts.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>

#include "base/thread_pool.h"
#include "http/chunked_decoder.h"
#include "http/exchange.h"
#include "http/head_parser.h"
#include "http/processor_spread.h"
#include "http/server.h"

namespace espalier::http {

class Connection;

struct ServerShared {
    ServerShared(const ServerOptions& options, Handler& handler);

    const ServerOptions options;
    Handler& handler;
    ThreadPool workers;
    ThreadPool stream_workers;
    ProcessorSpread spread;  ///< of the loops
    std::atomic<bool> draining = false;

    /// Counts an open connection; false when connections_max are open already.
    bool TryOpen();
    void Closed();
    std::size_t num_open() const;
    /// Takes `num` bytes of the budget for buffered bodies; false when it is used up.
    bool TryTakeBuffer(std::size_t num);
    void GiveBackBuffer(std::size_t num) { buffered_bytes_ -= num; }

    /// True when none is open before the deadline.
    bool WaitUntilNoneOpen(std::chrono::steady_clock::time_point deadline);

  private:
    mutable std::mutex mutex_;
    std::condition_variable none_open_;
    std::size_t num_open_ = 0;  // guarded by mutex_
    std::atomic<std::size_t> buffered_bytes_ = 0;
};

struct Loop : std::enable_shared_from_this<Loop> {
    Loop(std::shared_ptr<ServerShared> shared, std::size_t number);

    std::shared_ptr<ServerShared> shared;
    const std::size_t number;  ///< among the server's loops
    boost::asio::io_context io{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
    boost::asio::steady_timer sweep_timer{io};
    /// The time of the last sweep: deadlines are reckoned from it, which spares a clock call per request.
    std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now();
    std::unordered_set<std::shared_ptr<Connection>> connections;
    std::thread thread;

    /// Some connection has read a part of a body that is not whole yet. Cleared by the loop.
    bool bodies_grew = false;

    /// Takes a request whose handler runs on this loop. It waits until the other connections that are ready have been
    /// read, and a few looks longer while each brings more of another body, so that two may be handled side by side.
    void AddWhole(std::shared_ptr<Connection> connection, std::shared_ptr<Exchange> exchange);
    /// Serves until the loop is stopped.
    void Run();
    void Sweep();
    /// Closes idle connections; the others close after their answer.
    void Drain();
    /// Cuts every connection.
    void Cut();

  private:
    struct WholeRequest {
        std::shared_ptr<Connection> connection;
        std::shared_ptr<Exchange> exchange;
    };
    static constexpr int kLooksMax = 8;
    void HandleWhole();

    std::deque<WholeRequest> whole_;  // HandleWhole is posted while there is any
    int num_looks_ = 0;               // for a companion of the one that is whole
};

/// Bytes with room to grow, not initialised, within the server's budget.
struct BodyBuffer {
    explicit BodyBuffer(std::shared_ptr<ServerShared> shared) : shared(std::move(shared)) {}
    ~BodyBuffer() { Free(); }
    BodyBuffer(const BodyBuffer&) = delete;
    BodyBuffer& operator=(const BodyBuffer&) = delete;

    /// False when the server has no memory to spare for it.
    bool Reserve(std::size_t wanted_bytes);
    void Free();

    const std::shared_ptr<ServerShared> shared;
    std::unique_ptr<char[]> data;
    std::size_t capacity = 0;
    std::size_t size = 0;
};

struct Request {
    explicit Request(std::shared_ptr<ServerShared> shared) : body(std::move(shared)) {}

    ParsedHead parsed;
    BodyPlan::Mode mode = BodyPlan::kWorker;
    BodyBuffer body;
    bool body_too_large = false;
};

struct BodyState {
    bool chunked = false;
    std::uint64_t bytes_left = 0;  ///< when not chunked
    ChunkedDecoder decoder;        ///< when chunked
    bool wants_continue = false;   ///< the client waits for "100 Continue"
    bool failed = false;           ///< malformed, cut or stalled: the connection can't be used again

    bool done() const { return chunked ? decoder.done() : bytes_left == 0; }
};

class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(boost::asio::ip::tcp::socket socket, std::shared_ptr<Loop> loop);
    ~Connection();

    // On the loop.
    void Start();
    void OnSweep();
    void OnDrain();
    void OnCut();
    /// Before and after the handler runs on the loop.
    void OnHandling();
    void OnHandled();

    // By the holder of the exchange, see above.
    Result<std::size_t> ReadBody(std::span<char> out);
    void Send(Response response);
    Result<void> SendFile(Response response, int fd, std::uint64_t offset, std::uint64_t size_bytes);
    void BeginStream(Response head);
    ResponseStream::Taken WritePart(std::string part, std::function<void()> resume);
    void EndStream();
    /// Ends a stream that is not whole.
    void BreakStream();
    /// Takes a finished request back to use its memory again. From any thread.
    void Recycle(std::unique_ptr<Request> request);

  private:
    static constexpr std::size_t kInputBytes = kHeadBytesMax;

    enum class State { kIdle, kHead, kBody, kHandling, kWriting, kWritingPart, kDraining, kLingering, kClosed };
    enum class Taken { kAll, kNeedMore, kAnswered };

    void Advance();
    bool GrowBody(std::size_t wanted_bytes);
    Taken TakeHead();
    Taken BeginRequest(std::string_view head_bytes);
    bool PlanBody();
    bool TakeBody();
    bool TakeChunkedBody();
    bool SendContinue();
    void Dispatch();
    bool TakeDrained();
    void NextRequest();
    void ReadIntoBuffer();
    void ReadIntoBody();
    void OnRead(std::size_t num_bytes);
    void NoteProgress(std::size_t num_bytes);
    void Refuse(int status, std::string_view message, bool linger);
    void BuildAnswer(Response& response, std::optional<std::uint64_t> body_bytes);
    bool WriteSome();
    bool AllWritten() const { return out_written_ == out_head_.size() + out_body_.size(); }
    void WriteWhenReady(State state, void (Connection::*then)());
    void AfterPart();
    void Resume();
    void Answered();
    void AfterAnswer();
    void FinishAnswer();
    void Linger();
    void Close();
    Result<std::size_t> ReadBodyBytes(std::span<char> out);
    Result<std::size_t> ReadWithinBudget(std::span<char> out);
    std::unique_ptr<Request> TakeSpare();
    std::string_view input() const { return {in_.get() + in_begin_, in_end_ - in_begin_}; }

    const std::shared_ptr<Loop> loop_;  // before socket_, which must go first
    const std::shared_ptr<ServerShared> shared_;
    boost::asio::ip::tcp::socket socket_;
    const int fd_;
    std::string remote_address_;

    State state_ = State::kIdle;
    std::chrono::steady_clock::time_point deadline_;
    std::size_t progress_bytes_ = 0;                      // of the body, since deadline_ or stall_budget_ was set
    std::chrono::steady_clock::duration stall_budget_{};  // how long ReadBody may still wait for progress
    std::size_t drained_bytes_ = 0;
    bool registered_ = false;
    std::atomic<bool> cut_ = false;  // closed or cut: nothing may be written any more

    // Input: [in_begin_, in_end_) of in_ is unread; [in_begin_, scanned_) was searched for the head's end.
    std::unique_ptr<char[]> in_;
    std::size_t in_begin_ = 0;
    std::size_t in_end_ = 0;
    std::size_t scanned_ = 0;

    // The request being handled.
    std::unique_ptr<Request> request_;
    BodyState body_;
    bool head_request_ = false;
    bool http_1_0_ = false;
    bool close_after_ = false;
    std::size_t body_bytes_max_ = 0;
    std::atomic<Request*> spare_ = nullptr;

    // The answer: out_head_ then out_body_, of which out_written_ bytes are gone.
    std::string out_head_;
    std::string out_body_;
    std::size_t out_written_ = 0;
    std::size_t out_noted_ = 0;     // out_written_ when deadline_ was set
    bool broken_ = false;           // a write failed
    bool handling_here_ = false;    // the handler runs on the loop right now; written and read by its thread only
    bool answered_inline_ = false;  // the handler answered before Handle returned to the loop

    // Of an answer in parts.
    bool part_framed_ = false;      // parts are sent as chunks
    bool part_dropped_ = false;     // the request wants no body, so parts go nowhere
    std::function<void()> resume_;  // for the holder, when the loop has sent the part
};

}  // namespace espalier::http
