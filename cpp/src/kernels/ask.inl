// Asks for the next lines of `ahead`, if there are any.
static void ask(Ahead* ahead) {
  constexpr offset_t line = 64;
  if (!ahead || ahead->row == ahead->n_rows) return;
  Ahead a = *ahead;
  for (offset_t j = 0; j < a.at_once; ++j) {
    come_near(a.rows[a.row] + a.at);
    a.at += line;
    if (a.at < a.last) continue;
    a.at = a.first;
    if (++a.row == a.n_rows) break;
  }
  ahead->row = a.row;
  ahead->at = a.at;
}

static void will_write(const float* begin, offset_t n) {
  constexpr offset_t line = 16;
  for (offset_t k = 0; k < n; k += line) come_near_to_write(begin + k);
}
