// The names by which an agent's sessions are known in the database, and the lock that guards it.
#ifndef CURLEW_AGENT_JOURNAL_NAMES_H_
#define CURLEW_AGENT_JOURNAL_NAMES_H_

#include <cstdint>
#include <string>

namespace curlew::agent {

// Advisory lock: shared for whoever works on the database, exclusive for who takes it over. Advisory locks
// belong to one database, and a database is one target.
inline constexpr int64_t kWorkLock = 0x6375726c6577;  // "curlew"

// application_name of an agent's sessions: "curlew TARGET"; long names are cut and made unique by a hash.
std::string TargetApplicationName(const std::string& target);

// application_name of the session that runs a statement which cannot be fenced: TargetApplicationName, a
// space, a short hash of the run, a space, the attempt. At most 63 bytes.
std::string AttemptApplicationName(const std::string& target, const std::string& run, int attempt);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_JOURNAL_NAMES_H_
