;; Exact search over rows of signed bytes. `near` writes a pair (row number, dot product with the question), both i32, for each
;; row whose cosine may reach the floor, and gives their number. Compiled into dot.wasm.ts by compile-dot.ts.
;;
;; Where things are (bytes from the start of the memory):
;;   question    `dimensions` × i16: the same steps as the rows', widened once so that it is not widened again for each row
;;   rows        `count` × `dimensions` × i8; `dimensions` is a multiple of 16
;;   squares     `count` × i32: the squared length of each row
;;   tails       `count` × f32: the length of each row behind its head, its first `head` columns, a multiple of 16
;;   pairs       room for `count` × 2 × i32
;; `reach` is floor × length of the question: a row is near when dot ≥ reach × length of the row. Steps are within ±127, so that
;; sums stay below 2^31 for up to 2^17 dimensions.
;; Most rows are seen to be far by their head alone: what is behind it adds at most the product of both lengths there
;; (Cauchy and Schwarz), of which `tail` is the question's.
(module
  (memory (import "vectors" "memory") 1)
  (func (export "near")
    (param $question i32) (param $rows i32) (param $squares i32) (param $tails i32) (param $count i32) (param $dimensions i32) (param $head i32)
    (param $reach f32) (param $tail f32) (param $pairs i32)
    (result i32)
    (local $row i32) (local $end i32) (local $last i32) (local $at i32) (local $dot i32) (local $out i32)
    (local $near f32) (local $rest f32)
    (local $even v128) (local $odd v128) (local $sum v128)
    (local.set $out (local.get $pairs))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $row) (local.get $count)))
        (local.set $even (v128.const i32x4 0 0 0 0))
        (local.set $odd (v128.const i32x4 0 0 0 0))
        (local.set $at (local.get $question))
        (local.set $end (i32.add (local.get $rows) (local.get $head)))
        (local.set $last (i32.add (local.get $rows) (local.get $dimensions)))
        (local.set $near (f32.mul (local.get $reach) (f32.sqrt (f32.convert_i32_u (i32.load (i32.add (local.get $squares) (i32.shl (local.get $row) (i32.const 2))))))))
        (local.set $rest (f32.mul (local.get $tail) (f32.load (i32.add (local.get $tails) (i32.shl (local.get $row) (i32.const 2))))))
        (block $far
          (loop $columns ;; 16 of them at once: first those of the head, then the others
            (local.set $even (i32x4.add (local.get $even) (i32x4.dot_i16x8_s (v128.load8x8_s (local.get $rows)) (v128.load (local.get $at)))))
            (local.set $odd (i32x4.add (local.get $odd) (i32x4.dot_i16x8_s (v128.load8x8_s offset=8 (local.get $rows)) (v128.load offset=16 (local.get $at)))))
            (local.set $rows (i32.add (local.get $rows) (i32.const 16)))
            (local.set $at (i32.add (local.get $at) (i32.const 32)))
            (br_if $columns (i32.lt_u (local.get $rows) (local.get $end)))
            (local.set $sum (i32x4.add (local.get $even) (local.get $odd)))
            (local.set $sum (i32x4.add (local.get $sum) (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $sum) (local.get $sum))))
            (local.set $dot (i32.add (i32x4.extract_lane 0 (local.get $sum)) (i32x4.extract_lane 1 (local.get $sum))))
            (br_if $far (i32.eqz (f32.ge (f32.add (f32.convert_i32_s (local.get $dot)) (local.get $rest)) (local.get $near))))
            (local.set $end (local.get $last))
            (local.set $rest (f32.const 0))
            (br_if $columns (i32.lt_u (local.get $rows) (local.get $last))))
          (i32.store (local.get $out) (local.get $row))
          (i32.store offset=4 (local.get $out) (local.get $dot))
          (local.set $out (i32.add (local.get $out) (i32.const 8))))
        (local.set $rows (local.get $last))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $next)))
    (i32.shr_u (i32.sub (local.get $out) (local.get $pairs)) (i32.const 3))))
