#include "agent/backup/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"

extern char** environ;

namespace curlew::agent {
namespace {

using Clock = std::chrono::steady_clock;

// How often a child is looked at.
constexpr int kLookMs = 50;
// How long what a child has left behind may hold its output open once it has ended.
constexpr std::chrono::milliseconds kDrain(500);

// A file that is closed in the end.
class File {
 public:
  explicit File(int fd = -1) : fd_(fd) {}
  ~File() { Close(); }
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

struct Pipe {
  File read, write;
};

absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  // Other threads may start programs of their own at any moment: no pipe is ever open without CLOEXEC.
  if (pipe2(ends, O_CLOEXEC) != 0)
    return absl::ResourceExhaustedError(absl::StrCat("no pipe: ", std::strerror(errno)));
  return Pipe{File(ends[0]), File(ends[1])};
}

// What the child needs, made before fork: between fork and exec only calls are allowed that take no lock.
struct Launch {
  std::vector<char*> argv, envp;
  int out = -1, err = -1, in = -1, failure = -1;
  pid_t parent = 0;
  int most_files = 0;
};

void CloseFrom(int first, int most_files) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, static_cast<unsigned>(first), ~0U, 0U) == 0) return;
#endif
  for (int fd = first; fd < most_files; ++fd) close(fd);
}

// In the child, after fork. Calls async-signal-safe functions alone.
[[noreturn]] void Become(const Launch& launch) {
  // A group of its own, so that all of it can be killed.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Died already, before it could be asked for?
  if (getppid() != launch.parent) _exit(127);
  for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD}) {
    struct sigaction action = {};
    action.sa_handler = SIG_DFL;
    sigaction(signal, &action, nullptr);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  umask(077);
  // The pipes may be 0 to 4 themselves, where the agent was started without: first out of the way.
  const int failure = fcntl(launch.failure, F_DUPFD_CLOEXEC, 16);
  const int out = fcntl(launch.out, F_DUPFD_CLOEXEC, 16);
  const int err = fcntl(launch.err, F_DUPFD_CLOEXEC, 16);
  const int in = fcntl(launch.in, F_DUPFD_CLOEXEC, 16);
  int error = 0;
  if (failure < 0 || out < 0 || err < 0 || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 ||
      dup2(err, 2) < 0 || dup2(failure, 3) < 0 || fcntl(3, F_SETFD, FD_CLOEXEC) < 0) {
    error = errno;
  } else {
    CloseFrom(4, launch.most_files);
    execve(launch.argv[0], launch.argv.data(), launch.envp.data());
    error = errno;
  }
  const ssize_t written = write(failure < 0 ? launch.failure : 3, &error, sizeof error);
  _exit(written < 0 ? 126 : 127);
}

absl::Status CannotStart(const std::string& program, int error) {
  const std::string what = absl::StrCat(program, " cannot be started: ", std::strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(what);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(what);
    case EAGAIN:
    case ENOMEM:
    case ENFILE:
    case EMFILE:
      return absl::ResourceExhaustedError(what);
    default:
      return absl::FailedPreconditionError(what);
  }
}

// A child that runs. Its group is gone when the object is.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (reaped_) return;
    Kill();
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Also what its program has started and not put into another group. While the child has not been waited
  // for, its number is nobody else's.
  void Kill() const { kill(-pid_, SIGKILL); }

  // Whether it has ended.
  bool Ended() {
    if (reaped_) return true;
    siginfo_t info = {};
    // Not reaped before what is left of its group is killed: only till then the group's number is its own.
    if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
      return false;
    Kill();
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    reaped_ = true;
    exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return true;
  }
  int exit_code() const { return exit_code_; }

 private:
  const pid_t pid_;
  bool reaped_ = false;
  int exit_code_ = -1;
};

// Reads what is there. Closes the file at its end.
template <typename Take>
void ReadSome(File& file, const Take& take) {
  std::array<char, 16384> buffer;
  const ssize_t bytes = read(file.get(), buffer.data(), buffer.size());
  if (bytes > 0) return take(absl::string_view(buffer.data(), static_cast<size_t>(bytes)));
  if (bytes == 0 || (errno != EINTR && errno != EAGAIN)) file.Close();
}

// Whatever a program says may end up in messages and stores.
void HidePassword(const ChildOptions& options, ChildResult* result) {
  const auto password = options.environment.find("PGPASSWORD");
  if (password == options.environment.end() || password->second.empty()) return;
  for (std::string* said : {&result->output, &result->errors})
    absl::StrReplaceAll({{password->second, "***"}}, said);
}

}  // namespace

std::string ChildResult::LastWords(int lines) const {
  std::vector<std::string> said = absl::StrSplit(errors, absl::ByAnyChar("\r\n"), absl::SkipWhitespace());
  if (said.empty()) return "it said nothing";
  if (said.size() > static_cast<size_t>(lines)) said.erase(said.begin(), said.end() - lines);
  for (std::string& line : said) {
    for (size_t bad; (bad = base::FindInvalidUtf8(line)) != std::string::npos;) line[bad] = '?';
    line = std::string(base::Utf8Prefix(line, 500));
  }
  return absl::StrJoin(said, " | ");
}

std::map<std::string, std::string> ChildEnvironment(PgVariables pg) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const absl::string_view variable = *entry;
    const size_t equals = variable.find('=');
    if (equals == absl::string_view::npos || absl::StartsWith(variable, "CURLEW_") ||
        (pg == PgVariables::kLeftOut && absl::StartsWith(variable, "PG")))
      continue;
    variables.emplace(variable.substr(0, equals), variable.substr(equals + 1));
  }
  return variables;
}

absl::StatusOr<ChildResult> RunChild(const ChildOptions& options, const CancelToken& cancel) {
  RETURN_IF_ERROR(cancel.Check());
  ASSIGN_OR_RETURN(Pipe out, MakePipe());
  ASSIGN_OR_RETURN(Pipe err, MakePipe());
  ASSIGN_OR_RETURN(Pipe failure, MakePipe());
  const File nothing(open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::vector<std::string> variables;
  for (const auto& [name, value] : options.environment) variables.push_back(absl::StrCat(name, "=", value));
  Launch launch{.out = out.write.get(),
                .err = err.write.get(),
                .in = nothing.get(),
                .failure = failure.write.get(),
                .parent = getpid(),
                .most_files = static_cast<int>(sysconf(_SC_OPEN_MAX))};
  for (const std::string& argument : options.argv) launch.argv.push_back(const_cast<char*>(argument.c_str()));
  for (const std::string& variable : variables) launch.envp.push_back(const_cast<char*>(variable.c_str()));
  launch.argv.push_back(nullptr);
  launch.envp.push_back(nullptr);

  const auto began = Clock::now();
  const pid_t pid = fork();
  if (pid == 0) Become(launch);
  if (pid < 0) return CannotStart(options.argv[0], errno);
  // Also here, so that the group is there whoever comes first.
  setpgid(pid, pid);
  Child child(pid);
  out.write.Close();
  err.write.Close();
  failure.write.Close();
  int error = 0;
  ssize_t told;
  while ((told = read(failure.read.get(), &error, sizeof error)) < 0 && errno == EINTR) {
  }
  if (told == sizeof error) return CannotStart(options.argv[0], error);

  for (const int fd : {out.read.get(), err.read.get()}) fcntl(fd, F_SETFL, O_NONBLOCK);
  ChildResult result;
  auto ticked = began;
  std::optional<Clock::time_point> ended;
  while (true) {
    pollfd files[] = {{out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}};
    poll(files, 2, kLookMs);
    if (out.read.open()) {
      ReadSome(out.read, [&](absl::string_view text) {
        absl::StrAppend(&result.output, text.substr(0, options.output_bytes - result.output.size()));
      });
    }
    if (err.read.open()) {
      ReadSome(err.read, [&](absl::string_view text) {
        absl::StrAppend(&result.errors, text);
        if (result.errors.size() > options.output_bytes)
          result.errors.erase(0, result.errors.size() - options.output_bytes);
      });
    }
    const auto now = Clock::now();
    if (!ended.has_value() && child.Ended()) ended = now;
    if (ended.has_value() && ((!out.read.open() && !err.read.open()) || now - *ended > kDrain)) break;
    if (ended.has_value()) continue;
    RETURN_IF_ERROR(cancel.Check());
    if (absl::FromChrono(now - began) > options.timeout) {
      HidePassword(options, &result);
      return absl::DeadlineExceededError(absl::StrCat(options.argv[0], " was killed, as it took longer than ",
                                                      absl::FormatDuration(options.timeout), ": ",
                                                      result.LastWords()));
    }
    if (options.tick && now - ticked > std::chrono::seconds(1)) {
      ticked = now;
      options.tick();
    }
  }
  result.exit_code = child.exit_code();
  HidePassword(options, &result);
  return result;
}

}  // namespace curlew::agent
