// SPDX-License-Identifier: Apache-2.0
//
// A WebSocket server that does what the path of the handshake asks for, and starts in a
// millisecond:
//
//     /echo          sends every message back, and answers a Close
//     /close/CODE    on the first message: that Close
//     /drop          on the first message: the connection ends without a Close
//     /exit/STATUS   on the first message: the process exits
//     /refuse        answers the handshake with 403
//     /wait          never answers the handshake
//
// Each connection has a thread of its own. It listens on PORT, or 9000;
// WSF_TEST_START_MS delays that.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "common/http/handshake.h"
#include "common/http/head.h"

namespace {

using wsf::http::RequestHead;

bool Read(int fd, char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t n = recv(fd, data, size, 0);
    if (n <= 0) return false;
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

void Write(int fd, const std::string& data) {
  std::size_t done = 0;
  while (done < data.size()) {
    const ssize_t n = send(fd, data.data() + done, data.size() - done, MSG_NOSIGNAL);
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
  }
}

std::string ReadHead(int fd) {
  std::string head;
  char byte;
  while (!wsf::http::HeadSize(head) && Read(fd, &byte, 1)) head += byte;
  return head;
}

struct Message {
  int opcode = -1;  // -1: the connection has ended
  std::string payload;
};

// Short messages only: a test sends no others.
Message ReadMessage(int fd) {
  unsigned char head[2];
  Message message;
  if (!Read(fd, reinterpret_cast<char*>(head), 2)) return message;
  char key[4];
  message.payload.resize(head[1] & 0x7f);
  if (!Read(fd, key, 4) || !Read(fd, message.payload.data(), message.payload.size()))
    return message;
  for (std::size_t i = 0; i < message.payload.size(); ++i) message.payload[i] ^= key[i % 4];
  message.opcode = head[0] & 0x0f;
  return message;
}

void Send(int fd, int opcode, const std::string& payload) {
  std::string frame = {static_cast<char>(0x80 | opcode), static_cast<char>(payload.size())};
  Write(fd, frame + payload);
}

void Close(int fd, int code) {
  Send(fd, 8, {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)});
  while (ReadMessage(fd).opcode >= 0) continue;
}

void Serve(int fd) {
  const auto head = wsf::http::ParseRequestHead(ReadHead(fd));
  if (!head.ok()) return;
  const std::string path = head->target;
  if (path == "/refuse") {
    return Write(fd, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  }
  char byte;
  if (path == "/wait") {
    while (Read(fd, &byte, 1)) continue;
    return;
  }
  const std::string key(head->fields.Find("Sec-WebSocket-Key").value_or(""));
  Write(fd,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: " +
            wsf::http::AcceptFor(key) + "\r\n\r\n");
  while (true) {
    const Message message = ReadMessage(fd);
    if (message.opcode < 0) return;
    if (message.opcode == 8) return Send(fd, 8, message.payload);
    if (message.opcode == 9) Send(fd, 10, message.payload);
    if (message.opcode > 2) continue;
    if (path.rfind("/close/", 0) == 0) return Close(fd, std::atoi(path.c_str() + 7));
    if (path.rfind("/exit/", 0) == 0) _exit(std::atoi(path.c_str() + 6));
    if (path == "/drop") return;
    Send(fd, message.opcode, message.payload);
  }
}

}  // namespace

int main() {
  if (const char* start = std::getenv("WSF_TEST_START_MS")) usleep(1000 * std::atoi(start));
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  const char* const port = std::getenv("PORT");
  address.sin_port = htons(static_cast<std::uint16_t>(port ? std::atoi(port) : 9000));
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return 1;
  if (listen(listener, 16) != 0) return 1;
  while (true) {
    const int fd = accept(listener, nullptr, nullptr);
    if (fd < 0) return 1;
    std::thread([fd] {
      Serve(fd);
      close(fd);
    }).detach();
  }
}
