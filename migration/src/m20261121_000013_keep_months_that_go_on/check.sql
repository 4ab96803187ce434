-- Whoever drops a month by hand means one that is over; what is recorded now would go as well.
    IF date_trunc('month', at) + interval '1 month' > now() THEN
        RAISE EXCEPTION 'the month of % has not ended', at
            USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Only a month that is over can be dropped.';
    END IF;
