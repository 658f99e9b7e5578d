// SPDX-License-Identifier: Apache-2.0
#include "standalone/runtime/private_port.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace wsf::runtime {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "private_port knows x86-64 and aarch64"
#endif

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }
  bool ok() const { return number_ >= 0; }

 private:
  int number_;
};

// A notification names a thread; pidfd_open wants its process (Java and Go bind off their first).
pid_t ProcessOf(std::uint32_t thread_id) {
  std::ifstream status("/proc/" + std::to_string(thread_id) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("Tgid:", 0) == 0) return static_cast<pid_t>(std::stol(line.substr(5)));
  }
  return -1;
}

// The private address in the form that fits the socket's family.
struct Target {
  sockaddr_storage storage = {};
  socklen_t size = 0;
};

std::optional<Target> MakeTarget(int family, const std::string& address, std::uint16_t port) {
  Target target;
  if (family == AF_INET) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&target.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    inet_pton(AF_INET, address.c_str(), &v4->sin_addr);
    target.size = sizeof *v4;
    return target;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&target.storage);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  inet_pton(AF_INET6, ("::ffff:" + address).c_str(), &v6->sin6_addr);
  target.size = sizeof *v6;
  return target;
}

std::uint16_t PortOf(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  }
  if (storage.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
  }
  return 0;
}

int BindTo(int socket, int family, const std::string& address, std::uint16_t port) {
  // A mapped address cannot be bound while the socket is IPv6-only.
  const int off = 0;
  if (family == AF_INET6) setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  const auto target = MakeTarget(family, address, port);
  const auto* where = reinterpret_cast<const sockaddr*>(&target->storage);
  return bind(socket, where, target->size) == 0 ? 0 : errno;
}

// Whether a socket is meant to share its port with others (a server's worker processes).
bool Shares(int socket) {
  int on = 0;
  socklen_t size = sizeof on;
  getsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &on, &size);
  return on != 0;
}

// Whether anybody has bound the address, listening or not: a plain socket cannot any more.
bool IsTaken(const std::string& address, std::uint16_t port) {
  const Descriptor probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return BindTo(probe.get(), AF_INET, address, port) == EADDRINUSE;
}

}  // namespace

namespace private_port {

int InstallFilter(int socket) {
  const sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_bind, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {sizeof code / sizeof code[0], const_cast<sock_filter*>(code)};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  const long listener =
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (listener < 0) return errno;
  char byte = 'x';
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec data = {&byte, 1};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int number = static_cast<int>(listener);
  std::memcpy(CMSG_DATA(header), &number, sizeof number);
  const int error = sendmsg(socket, &message, 0) == 1 ? 0 : errno;
  close(number);
  return error;
}

int ReceiveListener(int socket) {
  char byte = 0;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec data = {&byte, 1};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) return -1;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return -1;
  int number = -1;
  std::memcpy(&number, CMSG_DATA(header), sizeof number);
  return number;
}

std::optional<std::string> Probe() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return "no socket pair";
  const pid_t child = fork();
  if (child == 0) {
    close(pair[0]);
    const int error = InstallFilter(pair[1]);
    char byte;
    if (error == 0) [[maybe_unused]]
      const ssize_t n = read(pair[1], &byte, 1);  // until the parent has looked
    _exit(error);
  }
  close(pair[1]);
  const int listener = ReceiveListener(pair[0]);
  std::optional<std::string> wrong;
  const Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  if (listener < 0) {
    wrong =
        "another seccomp filter with notification is in force (nested wsf, LXD?); run outside it";
  } else if (syscall(SYS_pidfd_getfd, process.get(), 0, 0) < 0) {
    wrong =
        "pidfd_getfd is not permitted (container profile or kernel.yama.ptrace_scope >= 2); "
        "run outside the container or allow it";
  }
  close(pair[0]);
  if (listener >= 0) close(listener);
  waitpid(child, nullptr, 0);
  return wrong;
}

}  // namespace private_port

PortKeeper::PortKeeper(boost::asio::io_context& io, int listener, std::string address,
                       std::uint16_t server_port, std::uint16_t private_port)
    : listener_(io, listener),
      address_(std::move(address)),
      server_port_(server_port),
      private_port_(private_port) {}

void PortKeeper::Stop() {
  boost::system::error_code ignored;
  listener_.close(ignored);
}

void PortKeeper::Await() {
  listener_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                         if (error || !self->AnswerOne()) return self->Stop();
                         self->Await();
                       });
}

bool PortKeeper::AnswerOne() {
  pollfd state = {listener_.native_handle(), POLLIN, 0};
  // Asio may report an event of the descriptor that had this number before: nothing is there then,
  // and to receive would block for ever.
  if (poll(&state, 1, 0) != 1) return true;
  if ((state.revents & POLLIN) == 0) return false;  // POLLHUP
  seccomp_notif call = {};
  if (ioctl(listener_.native_handle(), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
    return true;  // ENOENT: the caller was killed inside bind(); the others go on
  }
  const std::optional<int> error =
      Bind(call.pid, call.id, reinterpret_cast<const std::uint64_t*>(call.data.args));
  seccomp_notif_resp reply = {};
  reply.id = call.id;
  if (error) {
    reply.error = -*error;
  } else {
    reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  }
  ioctl(listener_.native_handle(), SECCOMP_IOCTL_NOTIF_SEND, &reply);
  return true;
}

std::optional<int> PortKeeper::Bind(std::uint32_t thread_id, std::uint64_t notification,
                                    const std::uint64_t* arguments) {
  sockaddr_storage wanted = {};
  const std::size_t size = std::min<std::size_t>(arguments[2], sizeof wanted);
  const iovec here = {&wanted, size};
  const iovec there = {reinterpret_cast<void*>(arguments[1]), size};
  const ssize_t read_bytes =
      process_vm_readv(static_cast<pid_t>(thread_id), &here, 1, &there, 1, 0);
  if (read_bytes <= 0 || PortOf(wanted) != server_port_) return std::nullopt;
  const Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, ProcessOf(thread_id), 0)));
  if (!process.ok()) return EPERM;
  // The thread may have gone and its number may be another's by now.
  if (ioctl(listener_.native_handle(), SECCOMP_IOCTL_NOTIF_ID_VALID, &notification) != 0) {
    return EPERM;
  }
  const Descriptor socket(
      static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), static_cast<int>(arguments[0]), 0)));
  if (!socket.ok()) return EPERM;
  int type = 0;
  socklen_t type_size = sizeof type;
  getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &type_size);
  if (type != SOCK_STREAM) return std::nullopt;
  // asyncio binds one socket of each family; both would fit, by SO_REUSEADDR, until the second
  // listens. The later one gets a port of its own, where nobody looks for it.
  const bool twin = bound_ && !Shares(socket.get()) && IsTaken(address_, private_port_);
  const std::uint16_t port = twin ? 0 : private_port_;
  // Connections of the last instance that had this address may still be in TIME-WAIT; a server that
  // does not ask for it itself could not start for a minute then.
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int error = BindTo(socket.get(), wanted.ss_family, address_, port);
  bound_ |= error == 0;
  return error;
}

}  // namespace wsf::runtime
