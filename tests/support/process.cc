#include "tests/support/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <regex>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"

extern char** environ;

namespace curlew::testing {
namespace {

std::vector<std::string> Environment(const std::map<std::string, std::string>& added) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    absl::string_view text(*entry);
    if (!added.contains(std::string(text.substr(0, text.find('='))))) result.emplace_back(text);
  }
  for (const auto& [name, value] : added) result.push_back(absl::StrCat(name, "=", value));
  return result;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

int ExitStatus(int raw) { return WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw); }

}  // namespace

absl::StatusOr<std::unique_ptr<Process>> Process::Start(ProcessOptions options) {
  std::vector<std::string> env = Environment(options.env);
  std::vector<char*> env_pointers = Pointers(env);
  std::vector<char*> argv_pointers = Pointers(options.argv);
  int out[2], failed[2], in;
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(failed, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe2");
  // A file, and no pipe, so that nobody has to feed it.
  if ((in = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) < 0 ||
      write(in, options.input.data(), options.input.size()) != static_cast<ssize_t>(options.input.size()) ||
      lseek(in, 0, SEEK_SET) != 0) {
    return absl::ErrnoToStatus(errno, "standard input");
  }
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "fork");
  if (pid == 0) {
    // Only what is safe after a fork of a process with threads.
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGPIPE, SIG_DFL);
    dup2(in, STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    dup2(out[1], STDERR_FILENO);
    execvpe(argv_pointers[0], argv_pointers.data(), env_pointers.data());
    int error = errno;
    (void)!write(failed[1], &error, sizeof error);
    _exit(127);
  }
  setpgid(pid, pid);
  close(out[1]);
  close(failed[1]);
  close(in);
  int error = 0;
  const bool started = read(failed[0], &error, sizeof error) == 0;  // exec closed the other end
  close(failed[0]);
  if (!started) {
    close(out[0]);
    waitpid(pid, nullptr, 0);
    return absl::NotFoundError(absl::StrCat(options.argv[0], ": ", strerror(error)));
  }
  return std::unique_ptr<Process>(new Process(pid, static_cast<int>(syscall(SYS_pidfd_open, pid, 0)), out[0],
                                              eventfd(0, EFD_CLOEXEC), options.log_path));
}

absl::StatusOr<std::string> Process::Run(ProcessOptions options, absl::Duration timeout) {
  const std::string command = absl::StrJoin(options.argv, " ");
  ASSIGN_OR_RETURN(auto process, Start(std::move(options)));
  ASSIGN_OR_RETURN(int exit, process->Wait(timeout));
  if (exit != 0)
    return absl::InternalError(absl::StrCat(command, " exited with ", exit, ": ", process->Tail()));
  return process->output();
}

Process::Process(pid_t pid, int pidfd, int out, int stop, std::string log_path)
    : pid_(pid), pidfd_(pidfd), out_(out), stop_(stop), log_path_(std::move(log_path)) {
  reader_ = std::thread([this] { Read(); });
}

Process::~Process() {
  killpg(pid_, SIGKILL);
  (void)Wait(absl::InfiniteDuration());
  eventfd_write(stop_, 1);
  if (reader_.joinable()) reader_.join();
  close(out_);
  close(stop_);
  close(pidfd_);
}

void Process::Read() {
  std::ofstream log;
  if (!log_path_.empty()) log.open(log_path_, std::ios::app);
  pollfd fds[] = {{out_, POLLIN, 0}, {stop_, POLLIN, 0}};
  char buffer[16384];
  while (poll(fds, 2, -1) > 0 || errno == EINTR) {
    if (fds[0].revents != 0) {
      const ssize_t size = read(out_, buffer, sizeof buffer);
      if (size <= 0) break;
      log.write(buffer, size).flush();
      absl::MutexLock lock(&mutex_);
      output_.append(buffer, size);
    } else if (fds[1].revents != 0) {
      break;
    }
  }
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

void Process::Kill(int signal) {
  absl::MutexLock lock(&mutex_);
  if (!exit_.has_value()) kill(pid_, signal);
}

absl::StatusOr<int> Process::Wait(absl::Duration timeout) {
  {
    absl::MutexLock lock(&mutex_);
    if (exit_.has_value()) return *exit_;
  }
  const absl::Time deadline = absl::Now() + timeout;
  pollfd fd = {pidfd_, POLLIN, 0};
  for (;;) {
    const absl::Duration left = std::max(deadline - absl::Now(), absl::ZeroDuration());
    const int64_t left_ms = absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1)));
    const int ready = poll(&fd, 1, static_cast<int>(std::min<int64_t>(left_ms, 1'000'000)));
    if (ready > 0) break;
    if (absl::Now() >= deadline) {
      return absl::DeadlineExceededError(absl::StrCat("process ", pid_, " still runs after ",
                                                      absl::FormatDuration(timeout), "; it wrote: ", Tail()));
    }
  }
  int exit = 0;
  {
    absl::MutexLock lock(&mutex_);
    if (exit_.has_value()) return *exit_;
    int raw = 0;
    waitpid(pid_, &raw, 0);
    exit = ExitStatus(raw);
    exit_ = exit;
    // What it wrote last is still on its way, unless a child of it keeps the pipe open.
    mutex_.AwaitWithTimeout(absl::Condition(&closed_), absl::Seconds(1));
  }
  return exit;
}

absl::StatusOr<size_t> Process::WaitForOutput(absl::string_view regex, absl::Duration timeout, size_t from) {
  const std::regex pattern{std::string(regex)};
  struct Search {
    const std::regex& pattern;
    const std::string& output;
    const bool& closed;
    size_t from;
    size_t searched = std::string::npos;
    std::optional<size_t> end;
    bool Done() {
      if (searched != output.size() && from <= output.size()) {
        searched = output.size();
        std::smatch match;
        if (std::regex_search(output.begin() + from, output.end(), match, pattern)) {
          end = match[0].second - output.begin();
        }
      }
      return end.has_value() || closed;
    }
  };
  absl::MutexLock lock(&mutex_);
  Search search{pattern, output_, closed_, from};
  const bool done = mutex_.AwaitWithTimeout(absl::Condition(&search, &Search::Done), timeout);
  if (search.end.has_value()) return *search.end;
  const std::string wrote = output_.substr(output_.size() > 4000 ? output_.size() - 4000 : 0);
  if (done) {
    return absl::AbortedError(absl::StrCat("the process ended without writing /", regex, "/: ", wrote));
  }
  return absl::DeadlineExceededError(
      absl::StrCat("nothing like /", regex, "/ after ", absl::FormatDuration(timeout), ": ", wrote));
}

std::string Process::output() const {
  absl::MutexLock lock(&mutex_);
  return output_;
}

std::string Process::Tail() const {
  std::string all = output();
  return all.size() > 4000 ? all.substr(all.size() - 4000) : all;
}

bool Process::running() { return !Wait(absl::ZeroDuration()).ok(); }

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  int port = 0;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    port = ntohs(address.sin_port);
  }
  close(fd);
  return port;
}

}  // namespace curlew::testing
