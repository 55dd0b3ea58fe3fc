import type { Dashboard as Typed } from "@grafana/schema/dist/types/raw/dashboard/x/types.gen";

// JSON has the values of enums, not their members.
type AsJson<T> = 0 extends 1 & T
  ? any
  : T extends string
    ? `${T}`
    : T extends number | boolean | null | undefined
      ? T
      : T extends (infer Each)[]
        ? AsJson<Each>[]
        : T extends object
          ? { [Key in keyof T]: AsJson<T[Key]> }
          : T;

export type Dashboard = AsJson<Typed>;
