#include "http/server.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <csignal>
#include <deque>
#include <future>
#include <utility>
#include <vector>

#include "base/log.h"
#include "http/connection.h"
#include "http/response_head.h"

namespace espalier::http {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using std::chrono::steady_clock;

/// Connections beyond the limit that are kept open for a moment, so that the peer can read its 503.
constexpr std::size_t kRefusedKeptMax = 64;

std::chrono::milliseconds SweepPeriod(const ServerOptions& options) {
    using std::chrono::milliseconds;
    auto shortest = std::min(
        {options.header_timeout, options.idle_timeout, options.body_stall_timeout, options.write_stall_timeout});
    return std::clamp(shortest / 8, milliseconds(5), milliseconds(250));
}

}  // namespace

ServerShared::ServerShared(const ServerOptions& options, Handler& handler)
    : options(options),
      handler(handler),
      workers({.num_threads = options.num_workers, .queued_tasks_max = options.queued_requests_max}),
      stream_workers({.num_threads = options.num_stream_workers, .queued_tasks_max = options.queued_requests_max}),
      spread(std::max<std::size_t>(options.num_io_threads, 1)) {}

bool ServerShared::TryOpen() {
    std::lock_guard lock(mutex_);
    if (num_open_ >= options.connections_max) return false;
    ++num_open_;
    return true;
}

void ServerShared::Closed() {
    std::lock_guard lock(mutex_);
    if (--num_open_ == 0) none_open_.notify_all();
}

std::size_t ServerShared::num_open() const {
    std::lock_guard lock(mutex_);
    return num_open_;
}

bool ServerShared::TryTakeBuffer(std::size_t num) {
    if ((buffered_bytes_ += num) <= options.buffered_bytes_max) return true;
    buffered_bytes_ -= num;
    return false;
}

bool ServerShared::WaitUntilNoneOpen(steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    return none_open_.wait_until(lock, deadline, [this] { return num_open_ == 0; });
}

Loop::Loop(std::shared_ptr<ServerShared> shared, std::size_t number) : shared(std::move(shared)), number(number) {}

void Loop::Run() {
    while (io.run_one() > 0) shared->spread.End(number);
}

void Loop::Sweep() {
    now = steady_clock::now();
    shared->spread.Release(number, now);
    // A connection that times out leaves the set, so look at a copy.
    std::vector<std::shared_ptr<Connection>> current(connections.begin(), connections.end());
    for (const auto& connection : current) connection->OnSweep();
    sweep_timer.expires_after(SweepPeriod(shared->options));
    sweep_timer.async_wait([this](const error_code& error) {
        if (!error) Sweep();
    });
}

void Loop::Drain() {
    std::vector<std::shared_ptr<Connection>> current(connections.begin(), connections.end());
    for (const auto& connection : current) connection->OnDrain();
}

void Loop::Cut() {
    std::vector<std::shared_ptr<Connection>> current(connections.begin(), connections.end());
    for (const auto& connection : current) connection->OnCut();
}

void Loop::AddWhole(std::shared_ptr<Connection> connection, std::shared_ptr<Exchange> exchange) {
    if (whole_.empty()) boost::asio::post(io, [this] { HandleWhole(); });
    whole_.push_back({std::move(connection), std::move(exchange)});
}

void Loop::HandleWhole() {
    shared->spread.Begin(number);
    if (whole_.size() == 1 && std::exchange(bodies_grew, false) && num_looks_ < kLooksMax) {
        ++num_looks_;
        return boost::asio::post(io, [this] { HandleWhole(); });
    }
    num_looks_ = 0;
    const auto take = [this] {
        WholeRequest request = std::move(whole_.front());
        whole_.pop_front();
        request.connection->OnHandling();
        return request;
    };
    WholeRequest first = take();
    if (whole_.empty()) {
        shared->handler.Handle(std::move(first.exchange));
    } else {
        WholeRequest second = take();
        if (!whole_.empty()) boost::asio::post(io, [this] { HandleWhole(); });
        shared->handler.HandleBoth(std::move(first.exchange), std::move(second.exchange));
        second.connection->OnHandled();
    }
    first.connection->OnHandled();
}

class Server::Impl {
  public:
    Impl(ServerOptions options, Handler& handler) : shared_(std::make_shared<ServerShared>(options, handler)) {
        for (std::size_t i = 0; i < std::max<std::size_t>(options.num_io_threads, 1); ++i) {
            loops_.push_back(std::make_shared<Loop>(shared_, i));
        }
        acceptor_ = std::make_unique<tcp::acceptor>(loops_[0]->io);
        pause_ = std::make_unique<boost::asio::steady_timer>(loops_[0]->io);
    }

    Result<void> Listen() {
        const ServerOptions& options = shared_->options;
        error_code error;
        auto address = boost::asio::ip::make_address(options.address, error);
        if (error) {
            return Error(ErrorCode::kInvalidArgument, "'" + options.address + "' is not an IPv4 or IPv6 address");
        }
        tcp::endpoint endpoint(address, options.port);
        acceptor_->open(endpoint.protocol(), error);
        if (!error) acceptor_->set_option(tcp::acceptor::reuse_address(true), error);
        if (!error) acceptor_->bind(endpoint, error);
        if (!error) acceptor_->listen(boost::asio::socket_base::max_listen_connections, error);
        if (error) {
            return ErrnoError("listen on " + options.address + ":" + std::to_string(options.port), error.value());
        }
        port_ = acceptor_->local_endpoint(error).port();
        return {};
    }

    void Run() {
        std::signal(SIGPIPE, SIG_IGN);  // sendfile has no MSG_NOSIGNAL
        for (auto& loop : loops_) {
            std::promise<void> named;  // the loop compares thread ids, so it may not run before `thread` is set
            auto go = named.get_future();
            loop->thread = std::thread([loop = loop.get(), go = std::move(go)]() mutable {
                go.wait();
                loop->Sweep();
                loop->Run();
            });
            named.set_value();
        }
        boost::asio::post(loops_[0]->io, [this] { Accept(); });
    }

    void Stop(std::chrono::milliseconds grace) {
        if (std::exchange(stopped_, true)) return;
        auto deadline = steady_clock::now() + grace;
        shared_->draining = true;
        boost::asio::post(loops_[0]->io, [this] {
            error_code ignored;
            acceptor_->close(ignored);
            pause_->cancel();
        });
        for (auto& loop : loops_) boost::asio::post(loop->io, [loop = loop.get()] { loop->Drain(); });
        if (!shared_->WaitUntilNoneOpen(deadline)) {
            LOG_WARN("requests still in flight are cut", {"connections", shared_->num_open()});
            for (auto& loop : loops_) boost::asio::post(loop->io, [loop = loop.get()] { loop->Cut(); });
            constexpr std::chrono::seconds kCutTimeMax{5};  // cutting waits for nobody
            shared_->WaitUntilNoneOpen(steady_clock::now() + kCutTimeMax);
        }
        shared_->workers.Stop();
        shared_->stream_workers.Stop();
        for (auto& loop : loops_) {
            loop->work.reset();
            boost::asio::post(loop->io, [loop = loop.get()] { loop->sweep_timer.cancel(); });
        }
        for (auto& loop : loops_) {
            boost::asio::post(loop->io, [loop = loop.get()] { loop->io.stop(); });
            loop->thread.join();
            // What the workers posted last holds connections, which hold the loop: run it to let go of both.
            loop->io.restart();
            loop->io.poll();
        }
    }

    std::uint16_t port() const { return port_; }
    std::size_t num_connections() const { return shared_->num_open(); }

  private:
    void Accept() {
        Loop& loop = *loops_[next_loop_++ % loops_.size()];
        acceptor_->async_accept(loop.io, [this, &loop](const error_code& error, tcp::socket socket) {
            if (!acceptor_->is_open()) return;
            if (error) return PauseAccepting(error);
            if (shared_->TryOpen()) {
                auto connection = std::make_shared<Connection>(std::move(socket), loop.shared_from_this());
                boost::asio::post(loop.io, [connection = std::move(connection)] { connection->Start(); });
            } else {
                RefuseConnection(std::move(socket));
            }
            Accept();
        });
    }

    /// No descriptor is free, most likely: connections that end will free some.
    void PauseAccepting(const error_code& error) {
        LOG_WARN("accept failed", {"error", error.message()});
        pause_->expires_after(std::chrono::milliseconds(50));
        pause_->async_wait([this](const error_code& cancelled) {
            if (!cancelled && acceptor_->is_open()) Accept();
        });
    }

    void RefuseConnection(tcp::socket socket) {
        error_code ignored;
        socket.non_blocking(true, ignored);
        std::string answer = PlainAnswer(503, "The server has too many connections; try again.");
        socket.send(boost::asio::buffer(answer), 0, ignored);
        socket.shutdown(tcp::socket::shutdown_send, ignored);
        refused_.push_back(std::move(socket));
        if (refused_.size() > kRefusedKeptMax) refused_.pop_front();
    }

    std::shared_ptr<ServerShared> shared_;
    std::vector<std::shared_ptr<Loop>> loops_;
    std::unique_ptr<tcp::acceptor> acceptor_;  // on loop 0, as all below
    std::unique_ptr<boost::asio::steady_timer> pause_;
    std::deque<tcp::socket> refused_;
    std::size_t next_loop_ = 0;
    std::uint16_t port_ = 0;
    bool stopped_ = false;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
    Stop(std::chrono::milliseconds(0));
}

Result<std::unique_ptr<Server>> Server::Start(ServerOptions options, Handler& handler) {
    auto impl = std::make_unique<Impl>(std::move(options), handler);
    TRY(impl->Listen());
    impl->Run();
    return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const {
    return impl_->port();
}
std::size_t Server::num_connections() const {
    return impl_->num_connections();
}
void Server::Stop(std::chrono::milliseconds grace) {
    impl_->Stop(grace);
}

}  // namespace espalier::http
