#include "common/lint/finding.h"

namespace curlew::lint {

sql::Place PlaceOf(const Finding& finding, const Hazard& hazard) {
  const sql::Place start{.offset = 0, .line = finding.place.line, .column = finding.place.column};
  sql::Place place = sql::PlaceAt(finding.statement, static_cast<size_t>(hazard.offset), start);
  if (place.line != finding.place.line) place.column += finding.indent;
  place.offset += finding.place.offset;
  return place;
}

sql::Place PlaceOf(const Finding& finding) {
  if (finding.kind != Finding::Kind::kUnread || finding.report.hazards.empty()) return finding.place;
  return PlaceOf(finding, finding.report.hazards[0]);
}

}  // namespace curlew::lint
