// PostgreSQL's table locks, as the manual's table of conflicts has them.
#ifndef CURLEW_AGENT_GUARD_LOCK_MODES_H_
#define CURLEW_AGENT_GUARD_LOCK_MODES_H_

#include <string>
#include <vector>

namespace curlew::agent {

// The modes that conflict with `mode` ("ShareUpdateExclusiveLock", as pg_locks writes it); all modes for one
// that is not known.
std::vector<std::string> ConflictingModes(const std::string& mode);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_LOCK_MODES_H_
