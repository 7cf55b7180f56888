// How libpqxx 6 makes a session for us. Of this folder alone.
#ifndef CURLEW_COMMON_PG_CONNECT_POLICY_H_
#define CURLEW_COMMON_PG_CONNECT_POLICY_H_

#include <libpq-fe.h>

#include <pqxx/connection.hxx>
#include <pqxx/except.hxx>
#include <string>

namespace curlew::pg {

// Connecting failed. libpq gives no SQLSTATE for that, so it is read from the verbose form of the message,
// where it stands in a fixed place whatever the language.
class ConnectError : public pqxx::broken_connection {
 public:
  enum class Password { kNotAsked, kAsked };
  ConnectError(std::string message, std::string sqlstate, Password password)
      : broken_connection(std::move(message)), sqlstate_(std::move(sqlstate)), password_(password) {}
  // "" where the server was not reached.
  const std::string& sqlstate() const { return sqlstate_; }
  // Whether the server asked for a password.
  Password password() const { return password_; }

 private:
  std::string sqlstate_;
  Password password_;
};

// A connection policy of libpqxx that keeps to connect_timeout of the conninfo (seconds, over all hosts) and
// throws ConnectError.
class ConnectPolicy : public pqxx::connectionpolicy {
 public:
  explicit ConnectPolicy(const std::string& conninfo) : connectionpolicy(conninfo) {}
  handle do_startconnect(handle existing) override;

  // The handle of the connection that this thread made last: libpqxx 6 does not give it out, and asking it
  // (state of the transaction, cancelling) needs it.
  static PGconn* last();
};

using Session = pqxx::basic_connection_base<ConnectPolicy>;

}  // namespace curlew::pg

#endif  // CURLEW_COMMON_PG_CONNECT_POLICY_H_
